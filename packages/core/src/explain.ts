import type { DatabaseOperation } from "./operation.js";

/** What a plan says about itself. */
export interface PlanAdvice {
  readonly kind: "missing_index" | "large_sort" | "misestimate" | "nested_loop";
  /** What is wrong and what to do about it, in whole sentences. */
  readonly text: string;
  /** The index to try: `orders (customer_id, created_at)`. */
  readonly index?: string | undefined;
}

/** How a server would run a query. */
export interface Explanation {
  /** For people, a line each step; literals already replaced. */
  readonly plan: string;
  /** Empty for a plan in which nothing stands out. */
  readonly advice: readonly PlanAdvice[];
}

/**
 * Asks the server once; opens a connection of its own for that and closes it again, and needs the operation no more. Settles in a bounded
 * time; rejects with a reason that may be shown.
 */
export type ExplainJob = () => Promise<Explanation>;

/** How calls on one connection can be explained; an instrumentation puts it on the operations of those who asked for it. */
export interface Explainer {
  /** To be asked when a call ends, while its text is known; where the call must not be explained, says why not. */
  prepare(operation: DatabaseOperation): ExplainJob | string;
}
