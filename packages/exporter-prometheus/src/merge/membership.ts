import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { performance } from "node:perf_hooks";
import type { ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { say, startTimer, stopTimer } from "@telltale/core";
import type { Handler } from "../answer-pages.js";
import { createEndpoint, type Served } from "../endpoint.js";
import type { Page } from "../families.js";
import { explainFailure, type Listening, tryToListen } from "../listen.js";
import { createPageHandler, type SidePage } from "../side-page.js";
import type { GaugeRule } from "./gauge-rules.js";
import { Hub } from "./hub.js";
import { Ledger } from "./ledger.js";
import { hasLivingHeir, meetingPlace, meetingPlaceOf } from "./meeting-place.js";
import { findHub, type Reporter } from "./reporter.js";

export interface MembershipOptions {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly isThread: boolean;
  /** Of a cluster worker, the process id of its primary. */
  readonly parent: number | undefined;
  readonly gauges: Readonly<Record<string, GaugeRule>>;
  readonly onServer: ((server: Server) => void) | undefined;
  /** Answers scrapes, where this process serves. */
  readonly handler: Handler;
  /** A page beside the metrics, of which each process has a part. */
  readonly page: SidePage | undefined;
  /** What this process counted. */
  collect(): Promise<Page>;
}

/** Pauses between two tries to get the port, or to find who has it, in ms; the last one again and again. */
const PAUSES_MS = [50, 100, 200, 400, 1_000, 2_000, 5_000, 15_000];
/** A cluster worker leaves the port to its primary for so many tries, a third of a second. */
const TRIES_OF_PRIMARY = 3;
/** After so many tries, a third of a second, the port is somebody else's: whoever of ours has it is there in the same turn. */
const TRIES_BEFORE_SAID = 3;
/** How long the program's first line waits for the process that serves. */
const ANSWERS_MS = 3_000;
/** Time for the heir to take over before anybody else tries. */
const HEIR_FIRST_MS = 500;
/** How long the port is left to an heir that lives and is busy. */
const HEIR_MS = 5_000;
/** The most that a last report may take, in ms. */
const LAST_MS = 1_000;
const NOTHING = { attributes: {} };

/**
 * The part of one process in the endpoint that several have in common: it serves if it gets the port, and otherwise reports to the one
 * that has it until that ends. Nothing here fails the program, or keeps it alive.
 */
export class Membership {
  /** Where Prometheus can read, or why it cannot; never rejects. */
  readonly listening: Promise<Listening>;
  private readonly options: MembershipOptions;
  /** Who it is in the ledger, whoever keeps it. */
  private readonly member = randomUUID();
  private server: Server | undefined;
  private hub: Hub | undefined;
  private reporter: Reporter | undefined;
  private inherited: Ledger | undefined;
  private awaitsHeirMs: number | undefined;
  private known: Listening | undefined;
  private isClosed = false;
  private isTold = false;
  private settle: (how: Listening) => void;
  private wake = (): void => {};

  constructor(options: MembershipOptions) {
    this.options = options;
    const { host, port } = options;
    const { promise, resolve } = Promise.withResolvers<Listening>();
    this.listening = promise;
    this.settle = resolve;
    const late = { error: `metrics are not served by this process: the one that has ${host}:${port} does not answer` };
    startTimer(resolve, ANSWERS_MS, late).unref();
    this.live().catch((error: unknown) => this.tell({ error: `metrics are not served: ${String(error)}` }));
  }

  /** Makes one page of what all processes counted, where this one serves. */
  async merge(own: Page): Promise<Page> {
    return this.hub?.merge(own) ?? own;
  }

  /** True while another process keeps what this one counted, and has not been told the last of it. */
  get isPending(): boolean {
    return !this.isTold && (this.reporter !== undefined || this.hub?.hasHeir === true);
  }

  /** Tells it. */
  async flush(): Promise<void> {
    if (this.reporter !== undefined) await this.reporter.report();
    else if (this.hub?.hasHeir === true) await this.hub.merge(await this.options.collect());
    this.isTold = true;
  }

  /** Something was counted since. */
  asked(): void {
    this.isTold = false;
  }

  /** The process ends in this moment: tells what `read` finds, and leaves. */
  end(read: () => readonly ScopeMetrics[]): void {
    this.isClosed = true;
    if (this.reporter !== undefined) this.reporter.reportAtOnce({ resource: NOTHING, scopeMetrics: read() });
    else if (this.hub?.hasHeir === true) this.hub.handOver({ resource: NOTHING, scopeMetrics: read() });
    this.hub?.close();
  }

  /** Tells, and leaves. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    // An instrument of the app that never answers must not keep it from closing.
    if (this.isPending) await Promise.race([this.flush().catch(() => {}), this.pause(LAST_MS)]);
    this.isClosed = true;
    this.wake();
    this.reporter?.close();
    // Before the port: whoever has that next must find nobody in the place.
    this.hub?.close();
    this.server?.close();
    this.server?.closeAllConnections();
  }

  private async live(): Promise<void> {
    const { isThread, parent } = this.options;
    // Most programs are alone: the port is theirs before the app listens, too.
    if (!isThread && parent === undefined && !this.awaitsHeir() && (await this.serve(0))) return;
    for (let tries = 0; !this.isClosed; tries++) {
      // Whoever has inherited tries the port first, all others whether somebody has it.
      if (this.inherited !== undefined && (await this.serve(tries))) return;
      if (await this.follow()) tries = -1;
      else if (this.awaitsHeir()) tries = 0;
      // A primary that has work to do as it starts must come first.
      else if (!isThread && (parent === undefined || tries >= TRIES_OF_PRIMARY) && (await this.serve(tries))) return;
      if (tries >= 0) await this.pause(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] as number);
      else if (this.inherited === undefined) await this.pause(HEIR_FIRST_MS);
    }
  }

  /** What was counted is with another process: whoever takes the port before it begins anew. */
  private awaitsHeir(): boolean {
    const place = this.options.port === 0 || this.inherited !== undefined ? undefined : meetingPlace(this.options);
    if (place === undefined || !hasLivingHeir(place)) return false;
    this.awaitsHeirMs ??= performance.now();
    return performance.now() - this.awaitsHeirMs < HEIR_MS;
  }

  /** Gets the port, and answers for all; false where somebody has it. */
  private async serve(tries: number): Promise<boolean> {
    const { path, handler, onServer, host, port, gauges } = this.options;
    const server = createEndpoint({ path, handler }, this.servedPage());
    onServer?.(server);
    const place = { host, port, portsToTry: 1 };
    const result = await tryToListen(server, place);
    if (!("url" in result)) {
      // Only a port in use may turn out to be one of ours.
      const isCertain = result.code !== "EADDRINUSE" || tries >= TRIES_BEFORE_SAID;
      if (isCertain && this.known === undefined) this.tell({ error: await explainFailure(result, place) });
      return false;
    }
    if (this.isClosed) server.close();
    else this.begin(server, result.url + path, this.inherited ?? new Ledger(gauges));
    return true;
  }

  private servedPage(): Served | undefined {
    const { page } = this.options;
    const gather = async () => (await this.hub?.gather()) ?? { parts: [], silent: 0 };
    return page && { path: page.path, handler: createPageHandler(page, gather) };
  }

  private begin(server: Server, url: string, ledger: Ledger): void {
    this.server = server;
    const place = this.ownPlace();
    if (place !== undefined) this.hub = new Hub({ path: place, url, member: this.member, ledger });
    this.inherited = undefined;
    // At the start the program's first line has it.
    if (this.known !== undefined) say("info", `metrics are now served on ${url}`);
    this.tell({ url });
  }

  /** Reports to the process that serves, until one of the two leaves; false where there is none. */
  private async follow(): Promise<boolean> {
    const { options, member } = this;
    for (const path of this.placesOfOthers()) {
      const reporter = path === undefined ? undefined : await findHub({ ...options, path, member });
      if (reporter === undefined) continue;
      this.reporter = reporter;
      this.awaitsHeirMs = undefined;
      this.isTold = false;
      if (this.isClosed) reporter.close();
      const { url, pid } = reporter;
      if (this.known !== undefined && "error" in this.known)
        say("info", `metrics are now served on ${url} by process ${pid}`);
      this.tell({ url });
      // Of whoever was before that one nothing is shown any more.
      this.inherited = await reporter.ended;
      this.reporter = undefined;
      return true;
    }
    return false;
  }

  /** Without a port in common there is still the process that began: its threads meet it, and its cluster workers. */
  private ownPlace(): string | undefined {
    return this.options.port === 0 ? meetingPlaceOf(process.pid) : meetingPlace(this.options);
  }

  private placesOfOthers(): (string | undefined)[] {
    const { port, isThread, parent } = this.options;
    if (port !== 0) return [meetingPlace(this.options)];
    // A thread's process may be a worker, which reports to its primary itself.
    if (isThread) return [meetingPlaceOf(process.pid), meetingPlaceOf(process.ppid)];
    return parent === undefined ? [] : [meetingPlaceOf(parent)];
  }

  private tell(how: Listening): void {
    this.known = how;
    this.settle(how);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = startTimer(resolve, ms).unref();
      this.wake = () => {
        stopTimer(timer);
        resolve();
      };
    });
  }
}
