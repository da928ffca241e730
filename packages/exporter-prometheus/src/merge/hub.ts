import { createServer, type Server, type Socket } from "node:net";
import { say, Slices, startTimer, stopTimer } from "@telltale/core";
import type { Page } from "../families.js";
import { Connection } from "./connection.js";
import { NO_WORDS } from "./frames.js";
import type { Ledger } from "./ledger.js";
import { clearPlace, removeSocket } from "./meeting-place.js";
import { ReportEncoder } from "./report-encoder.js";
import type { LedgerEntry, Message } from "./report.js";
import { nextTurn, Turns } from "./turns.js";

/** How long a scrape waits for the other processes; who is later is there with its last report. */
const WAIT_MS = 1_000;
/** An heir that lets so much wait is none. */
const MAX_WAITING = 8 << 20;
const MAX_CONNECTIONS = 1_000;

export interface HubOptions {
  readonly path: string;
  /** Where this process serves. */
  readonly url: string;
  /** Who this process is in the ledger, whoever keeps it. */
  readonly member: string;
  /** What is known of the others: empty, or what the one before left. */
  readonly ledger: Ledger;
}

/** Another process, or a thread. */
interface Member {
  readonly source: string;
  readonly member: string;
  readonly connection: Connection;
  readonly canInherit: boolean;
  answered: number;
  /** It did not answer in time, and is not waited for until it does. */
  isLate: boolean;
}

/**
 * The process that serves for all: it asks the others when it is scraped, keeps their totals, and hands all of it on to an heir before
 * anybody else sees it; so whoever takes over when this process is killed shows no less than it did.
 */
export class Hub {
  private readonly options: HubOptions;
  private readonly self = crypto.randomUUID();
  private readonly server: Server;
  private readonly turns = new Turns();
  private readonly encoder = new ReportEncoder();
  private readonly members = new Map<string, Member>();
  private heir: Member | undefined;
  private asked = 0;
  /** Called when somebody has answered or left. */
  private answered: () => void = () => {};
  private scrape: Promise<unknown> = Promise.resolve();

  constructor(options: HubOptions) {
    this.options = options;
    const { path, member, ledger } = options;
    ledger.allGone();
    this.record({ op: "join", source: this.self, member, slot: ledger.slotFor(member) });
    this.server = createServer((socket) => this.welcome(socket)).unref();
    this.server.maxConnections = MAX_CONNECTIONS;
    this.server.on("error", (error) => say("info", `metrics of other processes cannot be merged: ${error.message}`));
    // Whoever has the port may take the place: what is still there belonged to a process that was killed.
    clearPlace(path);
    // Exclusive: a cluster worker would ask its primary for it.
    this.server.listen({ path, exclusive: true });
  }

  /** One page of this process and all others, after one another: an older page must not come after a newer one. */
  merge(own: Page): Promise<Page> {
    const merged = this.scrape.then(() => this.mergeNow(own));
    this.scrape = merged.catch(() => {});
    return merged;
  }

  private async mergeNow(own: Page): Promise<Page> {
    const untilMs = performance.now() + WAIT_MS;
    const answers = this.ask(untilMs);
    for (const entry of this.ownEntries(own)) {
      this.record(...entry);
      await nextTurn();
    }
    await answers;
    for (const source of this.options.ledger.overdue()) this.record({ op: "fold", source });
    await this.heirHasAll(untilMs);
    return this.options.ledger.page(own.resource, new Slices());
  }

  /** The last that this process counted, without a turn of the event loop: it ends. */
  handOver(own: Page): void {
    if (this.heir === undefined) return;
    for (const entry of this.ownEntries(own)) this.record(...entry);
  }

  get hasHeir(): boolean {
    return this.heir !== undefined;
  }

  /** Leaves the place before the port is free, so that whoever has that next finds none of ours. */
  close(): void {
    this.server.close();
    for (const { connection } of this.members.values()) connection.close();
    removeSocket(this.options.path);
  }

  private *ownEntries({ scopeMetrics }: Page): Generator<readonly [LedgerEntry, Float64Array?]> {
    const source = this.self;
    for (const { report, words } of this.encoder.encode(scopeMetrics)) yield [{ op: "report", source, report }, words];
    yield [{ op: "complete", source }];
  }

  /** Writes into the ledger, and into that of the heir. */
  private record(entry: LedgerEntry, words: Float64Array = NO_WORDS): void {
    this.options.ledger.apply(entry, words);
    this.heir?.connection.send({ is: "entry", entry }, words);
  }

  private welcome(socket: Socket): void {
    let member: Member | undefined;
    const connection = new Connection(
      socket,
      this.turns,
      (message, words) => {
        if (member === undefined) member = this.join(message, connection);
        else this.hear(member, message, words);
      },
      () => {
        if (member !== undefined) this.leave(member);
      },
    );
  }

  private join(message: Message, connection: Connection): Member {
    if (message.is !== "hello") throw new Error(`a ${message.is} before hello`);
    const { source, member, parent, canServe } = message;
    const canInherit = canServe && parent !== process.pid;
    const joined = { source, member, connection, canInherit, answered: 0, isLate: false };
    this.members.set(source, joined);
    this.record({ op: "join", source, member, slot: this.options.ledger.slotFor(member) });
    connection.send({ is: "welcome", url: this.options.url, pid: process.pid });
    this.appointNext();
    return joined;
  }

  private hear(member: Member, message: Message, words: Float64Array): void {
    const { source } = member;
    if (message.is === "report") this.record({ op: "report", source, report: message.report }, words);
    if (message.is !== "done") return;
    this.record({ op: "complete", source });
    member.answered = Math.max(member.answered, message.n);
    member.isLate = false;
    this.answered();
  }

  private leave(member: Member): void {
    const { source } = member;
    this.members.delete(source);
    if (this.heir === member) this.heir = undefined;
    this.record({ op: "gone", source });
    this.appointNext();
    this.answered();
  }

  private appointNext(): void {
    if (this.heir !== undefined) return;
    for (const member of this.members.values()) {
      if (!member.canInherit || member.isLate) continue;
      this.appoint(member).catch(() => member.connection.close());
      return;
    }
  }

  /** From now on it is told whatever happens, and meanwhile what was before. */
  private async appoint(member: Member): Promise<void> {
    this.heir = member;
    for (const entries of this.options.ledger.dump()) {
      if (this.heir !== member) return;
      for (const [entry, words] of entries) member.connection.send({ is: "entry", entry }, words);
      await nextTurn();
    }
  }

  private async ask(untilMs: number): Promise<void> {
    const n = ++this.asked;
    const asked = [...this.members.values()].filter(({ isLate }) => !isLate);
    for (const { connection } of asked) connection.send({ is: "ask", n });
    const owing = (): Member[] => asked.filter((one) => one.answered < n && this.members.has(one.source));
    await new Promise<void>((resolve) => {
      const timer = startTimer(resolve, untilMs - performance.now()).unref();
      this.answered = () => {
        if (owing().length > 0) return;
        stopTimer(timer);
        resolve();
      };
      this.answered();
    });
    for (const member of owing()) member.isLate = true;
  }

  private async heirHasAll(untilMs: number): Promise<void> {
    const { heir } = this;
    if (heir === undefined || (await heir.connection.taken(Math.max(0, untilMs - performance.now())))) return;
    if (heir.connection.waiting < MAX_WAITING) return;
    heir.connection.send({ is: "entry", entry: { op: "clear" } });
    heir.isLate = true;
    this.heir = undefined;
    this.appointNext();
  }
}
