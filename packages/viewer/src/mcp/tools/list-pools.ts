import type { PoolItem, Pools, Steps } from "../../api/answers.js";
import { MINUTES, SERVICE } from "../arguments.js";
import { clean } from "../clean.js";
import { describeMs } from "../describe-time.js";
import { inputSchema } from "../input-schema.js";
import { defineTool } from "../tool.js";
import { describeShortly } from "./findings.js";

export const listPools = defineTool({
  name: "list_pools",
  title: "Connection pools",
  description:
    "Lists the connection pools: their limit, connections in use and requests that wait (now and at most), how long waits took, time-outs, and " +
    "which routes held the connections.",
  inputSchema: inputSchema({ service: SERVICE, minutes: MINUTES }),
  async call({ service, minutes }, ask) {
    const { pools } = (await ask(["pools"], { service, minutes })) as Pools;
    const shown = pools.slice(0, 50);
    return {
      heading:
        pools.length === 0
          ? `No connection pool in the last ${minutes} minutes.`
          : `${shown.length} of ${pools.length} pools.`,
      lines: shown.flatMap(describePool),
      data: { pools: shown.map(summarize) },
    };
  },
});

function describePool(pool: PoolItem): string[] {
  const used = nowAndMost(pool.used);
  const pending = nowAndMost(pool.pending);
  const { count, p50Ms, p95Ms, maxMs } = pool.waits;
  const facts = [
    `limit ${pool.limit ?? "unknown"}`,
    `used ${used.now ?? "?"} (at most ${used.most ?? "?"})`,
    `waiting ${pending.now ?? "?"} (at most ${pending.most ?? "?"})`,
    count > 0
      ? `${count} waits: p50 ${describeMs(p50Ms)}, p95 ${describeMs(p95Ms)}, max ${describeMs(maxMs)}`
      : "no waits",
    pool.timeouts > 0 ? `${pool.timeouts} timed out` : "",
  ].filter((fact) => fact !== "");
  return [
    `${clean(pool.service, 80)} ${clean(pool.pool, 120)}${pool.system === null ? "" : ` (${clean(pool.system, 40)})`}: ${facts.join(" · ")}`,
    ...pool.holders
      .slice(0, 8)
      .map(
        ({ route, heldMs, calls }) =>
          `  held by ${route === "" ? "no known request" : clean(route, 160)} · ${describeMs(heldMs)} in ${calls} calls`,
      ),
    ...pool.findings.slice(0, 5).flatMap((finding) => describeShortly(finding).map((line) => `  ${line}`)),
  ];
}

function summarize({ used, idle, pending, findings, ...pool }: PoolItem): object {
  return {
    ...pool,
    used: nowAndMost(used),
    idle: nowAndMost(idle),
    pending: nowAndMost(pending),
    findings: findings.map(({ id, kind, title }) => ({ id, kind, title })),
  };
}

function nowAndMost({ values }: Steps): { now: number | null; most: number | null } {
  const known = values.filter((value) => value !== null);
  return { now: known.at(-1) ?? null, most: known.length === 0 ? null : known.reduce((a, b) => Math.max(a, b)) };
}
