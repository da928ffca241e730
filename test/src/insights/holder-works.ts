import { setTimeout as pause } from "node:timers/promises";
import type { Finding } from "@telltale/core";
import type { Collection } from "@telltale/testkit";
import { serve } from "../requests.js";
import { createRandom } from "./random.js";
import type { Queries, QueryPool } from "./repeat-works.js";

/** How one holds a connection for `ms`, and what is to be said of it. */
export const createHolds = (sleep: (seconds: number) => string) => ({
  busy: async (client: Queries, ms: number): Promise<void> => void (await client.query(`SELECT ${sleep(ms / 1000)}`)),
  idle: async (client: Queries, ms: number): Promise<void> => {
    await client.query("BEGIN");
    await pause(ms);
    await client.query("COMMIT");
  },
});

/** Where runs take place, and how many. */
export interface Starvation {
  open(max: number): QueryPool & { end(): Promise<unknown> };
  sleep(seconds: number): string;
  readonly collected: Collection;
  /** The wait from which on there is a finding. */
  readonly waitMs: number;
  readonly runs: number;
  /** Runs in which everybody waits for a short time only. */
  readonly brief: number;
}

/** Random runs in which a pool starves: who holds it, who was named, and what was wrong with the findings. */
export async function runStarvation({ open, sleep, collected, waitMs, runs: count, brief: briefs }: Starvation) {
  const holds = createHolds(sleep);
  const found = (): Finding[] => collected.findings.filter(({ kind }) => kind === "pool_starved");
  const random = createRandom(20);
  const runs = Array.from({ length: count }, (_, n) => {
    const max = random.between(1, 4);
    // More than half of the connections are held by one endpoint, the others each by another.
    const held = random.between(Math.floor(max / 2) + 1, max);
    const reason = random.pick(["busy", "idle", "after_request"] as const);
    return {
      n,
      max,
      held,
      reason,
      ms: random.between(90, 160),
      queue: random.between(0, max),
      victims: random.between(1, 6),
    };
  });
  const wrong: unknown[] = [];
  const named: string[] = [];
  const run = async ({ n, max, held, reason, ms, queue, victims }: (typeof runs)[number]): Promise<void> => {
    const pool = open(max);
    await Promise.all(Array.from({ length: max }, () => pool.query("SELECT 1")));
    const traces: (string | undefined)[] = [];
    let late: Promise<unknown> = Promise.resolve();
    const holders = Array.from({ length: max }, (_, i) =>
      serve(i < held ? `/report/${n}` : `/other${i}/${n}`, async (traceId) => {
        if (i < held) traces.push(traceId);
        const client = await pool.connect();
        const hold = holds[reason === "busy" ? "busy" : "idle"](client, ms).then(() => client.release());
        if (reason === "after_request") late = Promise.all([late, hold]);
        else await hold;
      }),
    );
    await pause(random.between(5, 15));
    // Some are served in between, and hold a connection for a short time, when the victims' waits end.
    const next = Array.from({ length: queue }, () => serve(`/next/${n}`, () => pool.query(`SELECT ${sleep(0.01)}`)));
    const victimsDone = Array.from({ length: victims }, () => serve(`/victim/${n}`, () => pool.query("SELECT 1")));
    await Promise.all([...holders, ...next, ...victimsDone]);
    await late;
    await pool.end();
    const starved = found().filter(({ evidence }) => String(evidence?.["victim"]).endsWith(`/${n}`));
    const right =
      starved.length === 1 &&
      starved.every(
        (finding) =>
          finding.endpoint === `GET /report/${n}` &&
          finding.reason === reason &&
          traces.includes(finding.traceId) &&
          finding.durationMs >= finding.waitMs &&
          finding.waitMs >= waitMs &&
          (reason === "busy" ? ["SELECT"] : ["BEGIN", "COMMIT"]).includes(finding.querySummary ?? ""),
      );
    if (!right) wrong.push({ n, max, held, reason, ms, queue, victims, starved });
    named.push(...starved.map(({ endpoint }) => String(endpoint)));
  };
  for (let n = 0; n < runs.length; n += 5) await Promise.all(runs.slice(n, n + 5).map(run));
  // Waits that are short; how short they were is measured, as the machine may be busy.
  const none: string[] = [];
  const brief = async (n: number): Promise<void> => {
    const pool = open(2);
    await Promise.all([pool.query("SELECT 1"), pool.query("SELECT 1")]);
    await Promise.all(Array.from({ length: 6 }, () => serve(`/brief/${n}`, () => pool.query("SELECT 1"))));
    await pool.end();
    const waits = collected.operations.map((operation) =>
      operation.kind === "database" && operation.request?.route === `/brief/${n}` ? operation.waitMs : 0,
    );
    if (Math.max(...waits) >= waitMs) return;
    none.push(`GET /brief/${n}`);
    named.push(...found().flatMap(({ route, endpoint }) => (route === `/brief/${n}` ? (endpoint ?? []) : [])));
  };
  for (let n = 0; n < briefs; n++) await brief(n);
  return { holders: runs.map(({ n }) => `GET /report/${n}`), named, none, wrong };
}
