import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { sayOnce } from "@telltale/core";
import type { Page } from "../families.js";
import { MAX_PART_BYTES, type SidePage } from "../side-page.js";
import { Connection } from "./connection.js";
import { type GaugeRule, OF_PROCESS } from "./gauge-rules.js";
import { Ledger } from "./ledger.js";
import { ReportEncoder } from "./report-encoder.js";
import type { Message } from "./report.js";
import { Turns } from "./turns.js";

/** Whoever takes nothing for so long is stuck, and what waits for it would keep a process that has ended from going. */
const STUCK_MS = 2_000;

export interface ReporterOptions {
  readonly path: string;
  /** Who this process, or thread, is in the ledger, whoever keeps it. */
  readonly member: string;
  /** A thread of a process: it cannot serve, and leaves to the main thread what is the same for all. */
  readonly isThread: boolean;
  /** Of a cluster worker, its primary. */
  readonly parent: number | undefined;
  readonly gauges: Readonly<Record<string, GaugeRule>>;
  readonly page?: SidePage | undefined;
  /** What this process counted. */
  collect(): Promise<Page>;
}

/** A process that reports to the one that serves. */
export interface Reporter {
  /** Where that one serves. */
  readonly url: string;
  readonly pid: number;
  /** When it is there no more: what it left to this process, where this is its heir. */
  readonly ended: Promise<Ledger | undefined>;
  /** Reports without being asked. */
  report(): Promise<void>;
  /** Reports without a turn of the event loop: the process ends. */
  reportAtOnce(page: Page): void;
  close(): void;
}

/** Undefined where it fails, or is longer than a process may tell. */
function readPart(page: SidePage | undefined): string | undefined {
  try {
    const part = page?.read();
    return part === undefined || Buffer.byteLength(part) > MAX_PART_BYTES ? undefined : part;
  } catch (error) {
    sayOnce("error", `a part of ${page?.path} could not be reported to the process that serves it: ${String(error)}`);
    return undefined;
  }
}

/** Undefined where nobody is to be found. */
export function findHub(options: ReporterOptions): Promise<Reporter | undefined> {
  const { path, member, isThread, parent, gauges } = options;
  const omit = isThread ? OF_PROCESS : undefined;
  const turns = new Turns();
  const encoder = new ReportEncoder();
  let inherited: Ledger | undefined;
  /** The last question, and the last that was answered. */
  let asked = 0;
  let reporting: Promise<void> | undefined;

  return new Promise((resolve) => {
    const source = randomUUID();
    const speaks = new Connection(connect({ path }), turns, enter, () => resolve(undefined));
    speaks.send({ is: "hello", source, member, pid: process.pid, parent, canServe: !isThread });

    function enter(message: Message): void {
      if (message.is !== "welcome") throw new Error(`a ${message.is} instead of a welcome`);
      const { url, pid } = message;
      const { promise: ended, resolve: end } = Promise.withResolvers<Ledger | undefined>();
      const listens = new Connection(connect({ path }), turns, hear, () => {
        speaks.close();
        end(inherited);
      });
      listens.send({ is: "listen", source });
      const close = (): void => {
        speaks.close();
        listens.close();
      };
      resolve({ url, pid, ended, report: reportAnew, reportAtOnce, close });
    }

    function hear(message: Message, words: Float64Array): void {
      if (message.is === "ask") {
        asked = message.n;
        void report();
      } else if (message.is === "want") {
        speaks.send({ is: "part", n: message.n, part: readPart(options.page) });
      } else if (message.is === "entry") {
        if (message.entry.op === "clear") inherited = new Ledger(gauges);
        inherited?.apply(message.entry, words);
      }
    }

    function report(): Promise<void> {
      return (reporting ??= reportAll().finally(() => {
        reporting = undefined;
      }));
    }

    async function reportAnew(): Promise<void> {
      await reporting;
      await report();
    }

    async function reportAll(): Promise<void> {
      let n: number;
      do {
        n = asked;
        try {
          await reportPage(await options.collect());
        } catch (error) {
          sayOnce("error", `metrics could not be reported to the process that serves them: ${String(error)}`);
        }
        speaks.send({ is: "done", n });
      } while (asked > n);
    }

    async function reportPage({ scopeMetrics }: Page): Promise<void> {
      for (const frame of encoder.encode(scopeMetrics, omit)) {
        speaks.send({ is: "report", report: frame.report }, frame.words);
        if (!(await speaks.taken(STUCK_MS))) return speaks.close();
      }
    }

    function reportAtOnce({ scopeMetrics }: Page): void {
      for (const { report: what, words } of encoder.encode(scopeMetrics, omit)) {
        speaks.send({ is: "report", report: what }, words);
      }
      speaks.send({ is: "done", n: asked });
    }
  });
}
