import { type DatabaseTemplate, limitOf } from "@telltale/core";
import { Baseline } from "./baseline.js";

/** Query shapes that are followed: 2 KB each with all that hangs on it, so 10 MB at most. */
const MAX_SHAPES = 5_000;
const unfollowed = limitOf("query.histories");

/** What the calls of one query shape came to, wherever they were sent. */
export class QueryHistory {
  readonly template: DatabaseTemplate;
  readonly baseline = new Baseline();
  calls = 0;
  /** Time of all calls together, in ms, waits for a connection left out … */
  totalMs = 0;
  /** … and these waits. */
  waitMs = 0;
  maxMs = 0;

  constructor(template: DatabaseTemplate) {
    this.template = template;
  }
}

/** The query shapes that cost most: few slow calls, or very many fast ones. */
export interface QueryCost {
  readonly system: string;
  readonly namespace: string | undefined;
  readonly querySummary: string | undefined;
  readonly queryText: string | undefined;
  readonly fingerprint: string | undefined;
  readonly calls: number;
  readonly totalMs: number;
  /** Of the time of all shapes that are followed, 0 to 1. */
  readonly share: number;
  readonly waitMs: number;
  readonly meanMs: number;
  readonly maxMs: number;
  /** What 95 % of the calls keep, learned while they were as fast as ever; 0 in the first 100 calls. */
  readonly usualMs: number;
  /** True while they are slower than that. */
  readonly isDegraded: boolean;
}

/** The histories of all query shapes, by shape and database. */
export class QueryHistories {
  private readonly all = new Map<string, QueryHistory>();

  /** Undefined for a shape that comes when there are too many. */
  of(template: DatabaseTemplate): QueryHistory | undefined {
    const key = `${template.system}\n${template.fingerprint ?? template.querySummary}\n${template.namespace}`;
    const known = this.all.get(key);
    if (known !== undefined) return known;
    if (this.all.size >= MAX_SHAPES) {
      unfollowed.total += 1;
      return undefined;
    }
    const history = new QueryHistory(template);
    this.all.set(key, history);
    return history;
  }

  /** Time of all calls of all shapes together, in ms. */
  get totalMs(): number {
    let sumMs = 0;
    for (const { totalMs } of this.all.values()) sumMs += totalMs;
    return sumMs;
  }

  get size(): number {
    return this.all.size;
  }

  /** Those whose calls took most time together, the first first. */
  top(limit: number): QueryCost[] {
    const all = [...this.all.values()];
    const sumMs = this.totalMs;
    const byCost = all.sort((a, b) => b.totalMs - a.totalMs).slice(0, limit);
    return byCost.map(({ template, baseline, calls, totalMs, waitMs, maxMs }) => ({
      system: template.system,
      namespace: template.namespace,
      querySummary: template.querySummary,
      queryText: template.queryText,
      fingerprint: template.fingerprint,
      calls,
      totalMs,
      share: sumMs > 0 ? totalMs / sumMs : 0,
      waitMs,
      meanMs: calls > 0 ? totalMs / calls : 0,
      maxMs,
      usualMs: baseline.usualMs,
      isDegraded: baseline.isFrozen,
    }));
  }
}
