import { randomUUID } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { say, Slices, startTimer, stopTimer } from "@telltale/core";
import type { Page } from "../families.js";
import { MAX_PARTS_BYTES, type Parts } from "../side-page.js";
import { Connection } from "./connection.js";
import { NO_WORDS } from "./frames.js";
import type { Ledger } from "./ledger.js";
import { clearPlace, nameHeir, removeSocket } from "./meeting-place.js";
import { ReportEncoder } from "./report-encoder.js";
import type { LedgerEntry, Message } from "./report.js";
import { nextTurn, Turns } from "./turns.js";

/** How long a scrape waits for the other processes; who is later is there with its last report. */
const WAIT_MS = 1_000;
/** An heir that lets so much wait is none. */
const MAX_WAITING = 8 << 20;
/** Two for each of 1,000 processes. */
const MAX_CONNECTIONS = 2_000;

export interface HubOptions {
  readonly path: string;
  /** Where this process serves. */
  readonly url: string;
  /** Who this process is in the ledger, whoever keeps it. */
  readonly member: string;
  /** What is known of the others: empty, or what the one before left. */
  readonly ledger: Ledger;
}

type Entries = readonly (readonly [entry: LedgerEntry, words?: Float64Array])[];
type Hello = Extract<Message, { is: "hello" }>;

/** Another process, or a thread. */
interface Member {
  readonly source: string;
  readonly member: string;
  readonly pid: number;
  /** Where it speaks; it is gone when that is closed, and all it said has been heard. */
  readonly speaks: Connection;
  /** Where it listens, once it does. */
  listens: Connection | undefined;
  readonly canInherit: boolean;
  answered: number;
  /** What it has of the page beside the metrics, and which question that answers. */
  part: string | undefined;
  partOf: number;
  /** It did not answer in time, and is not waited for until it does. */
  isLate: boolean;
}

/**
 * The process that serves for all: it asks the others when it is scraped, keeps their totals, and hands all of it on to an heir before
 * anybody else sees it; so whoever takes over when this process is killed shows no less than it did.
 */
export class Hub {
  private readonly options: HubOptions;
  private readonly self = randomUUID();
  private readonly server: Server;
  private readonly turns = new Turns();
  private readonly encoder = new ReportEncoder();
  private readonly connections = new Set<Connection>();
  private readonly members = new Map<string, Member>();
  private heir: Member | undefined;
  /** What the heir has not been told yet of what was before it. */
  private untold: Iterable<Entries> = [];
  private appointed: Promise<void> = Promise.resolve();
  private asked = 0;
  private wanted = 0;
  /** Called when a part has come, or somebody has left. */
  private readonly gathering = new Set<() => void>();
  /** Called when somebody has answered or left. */
  private answered: () => void = () => {};
  private scrape: Promise<unknown> = Promise.resolve();
  private isClosed = false;

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
    nameHeir(path, undefined);
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
    this.foldOverdue();
    await this.heirHasAll(untilMs);
    return this.options.ledger.page(own.resource, new Slices());
  }

  /** What the other processes have of the page beside the metrics; of those that answer in time. */
  async gather(): Promise<Parts> {
    const n = ++this.wanted;
    const asked = [...this.members.values()].filter(({ listens }) => listens !== undefined);
    for (const { listens } of asked) listens?.send({ is: "want", n });
    const owing = (): boolean => asked.some((one) => one.partOf < n && this.members.has(one.source));
    await new Promise<void>((resolve) => {
      const timer = startTimer(finish, WAIT_MS).unref();
      const gathering = this.gathering;
      function finish(): void {
        stopTimer(timer);
        gathering.delete(arrived);
        resolve();
      }
      function arrived(): void {
        if (!owing()) finish();
      }
      gathering.add(arrived);
      arrived();
    });
    const living = asked.filter(({ source, partOf }) => partOf >= n || this.members.has(source));
    const parts = living.flatMap(({ part, partOf }) => (part === undefined || partOf < n ? [] : [part]));
    // A page is read now and then; meanwhile nobody needs them.
    for (const one of living) if (one.partOf <= n) one.part = undefined;
    return { parts, silent: living.length - parts.length };
  }

  private hasRoomFor(part = ""): boolean {
    let length = part.length;
    for (const other of this.members.values()) length += other.part?.length ?? 0;
    return length <= MAX_PARTS_BYTES;
  }

  /** The last that this process counted, without a turn of the event loop: it ends. */
  handOver(own: Page): void {
    const listens = this.heir?.listens;
    if (listens === undefined) return;
    for (const entries of this.untold) tell(listens, entries);
    for (const entry of this.ownEntries(own)) this.record(...entry);
  }

  get hasHeir(): boolean {
    return this.heir !== undefined;
  }

  /** Leaves the place before the port is free, so that whoever has that next finds none of ours. */
  close(): void {
    this.isClosed = true;
    this.server.close();
    for (const connection of this.connections) connection.close();
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
    this.heir?.listens?.send({ is: "entry", entry }, words);
  }

  private welcome(socket: Socket): void {
    let member: Member | undefined;
    const connection = new Connection(
      socket,
      this.turns,
      (message, words) => {
        if (member === undefined) member = this.meet(message, connection);
        else this.hear(member, connection, message, words);
      },
      () => {
        this.connections.delete(connection);
        if (member?.speaks === connection) this.leave(member);
      },
    );
    this.connections.add(connection);
  }

  /** The first that is said on a connection. */
  private meet(message: Message, connection: Connection): Member {
    if (message.is === "hello") return this.join(message, connection);
    const member = message.is === "listen" ? this.members.get(message.source) : undefined;
    if (member === undefined || member.listens !== undefined) throw new Error(`a ${message.is} before hello`);
    member.listens = connection;
    if (member.answered < this.asked) connection.send({ is: "ask", n: this.asked });
    this.appointNext();
    return member;
  }

  private join({ source, member, pid, parent, canServe }: Hello, speaks: Connection): Member {
    const canInherit = canServe && parent !== process.pid;
    // What was asked before it came it need not answer.
    const joined = {
      source,
      member,
      pid,
      speaks,
      listens: undefined,
      canInherit,
      answered: this.asked,
      part: undefined,
      partOf: 0,
      isLate: false,
    };
    this.members.set(source, joined);
    this.record({ op: "join", source, member, slot: this.options.ledger.slotFor(member) });
    speaks.send({ is: "welcome", url: this.options.url, pid: process.pid });
    return joined;
  }

  private hear(member: Member, connection: Connection, message: Message, words: Float64Array): void {
    if (connection === member.listens) throw new Error(`a ${message.is} where nothing is said`);
    const { source } = member;
    if (message.is === "part") {
      member.part = this.hasRoomFor(message.part) ? message.part : undefined;
      member.partOf = message.n;
      for (const arrived of this.gathering) arrived();
    }
    if (message.is === "report") this.record({ op: "report", source, report: message.report }, words);
    if (message.is !== "done") return;
    this.record({ op: "complete", source });
    member.answered = Math.max(member.answered, message.n);
    member.isLate = false;
    this.answered();
  }

  private leave(member: Member): void {
    // Word of the heir stays, and by now the place may be the heir's.
    if (this.isClosed) return;
    const { source } = member;
    member.listens?.close();
    this.members.delete(source);
    if (this.heir === member) this.dismissHeir();
    this.record({ op: "gone", source });
    // Not only when somebody looks: a program may begin a thread for each job, and have no Prometheus.
    this.foldOverdue();
    this.appointNext();
    this.answered();
    for (const arrived of this.gathering) arrived();
  }

  private foldOverdue(): void {
    for (const source of this.options.ledger.overdue()) this.record({ op: "fold", source });
  }

  private dismissHeir(): void {
    this.heir = undefined;
    nameHeir(this.options.path, undefined);
  }

  private appointNext(): void {
    if (this.heir !== undefined) return;
    for (const member of this.members.values()) {
      const { listens } = member;
      if (!member.canInherit || member.isLate || listens === undefined) continue;
      this.appointed = this.appoint(member, listens).catch(() => member.speaks.close());
      return;
    }
  }

  /** From now on it is told whatever happens, and meanwhile what was before. */
  private async appoint(member: Member, listens: Connection): Promise<void> {
    this.heir = member;
    nameHeir(this.options.path, member.pid);
    this.untold = this.options.ledger.dump();
    for (const entries of this.untold) {
      if (this.heir !== member) return;
      tell(listens, entries);
      await nextTurn();
    }
  }

  private async ask(untilMs: number): Promise<void> {
    const n = ++this.asked;
    const asked = [...this.members.values()].filter(({ isLate }) => !isLate);
    for (const { listens } of asked) listens?.send({ is: "ask", n });
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
    await this.appointed;
    const { heir } = this;
    const listens = heir?.listens;
    if (heir === undefined || listens === undefined) return;
    if ((await listens.taken(Math.max(0, untilMs - performance.now()))) || listens.waiting < MAX_WAITING) return;
    listens.send({ is: "entry", entry: { op: "clear" } });
    heir.isLate = true;
    this.dismissHeir();
    this.appointNext();
  }
}

function tell(listens: Connection, entries: Entries): void {
  for (const [entry, words] of entries) listens.send({ is: "entry", entry }, words);
}
