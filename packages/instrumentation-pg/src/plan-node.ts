/** A step of a plan, as `EXPLAIN (FORMAT JSON, VERBOSE)` writes it; what is not named here is of no use to us. */
export interface PlanNode {
  readonly "Node Type": string;
  readonly "Plan Rows": number;
  readonly "Plan Width": number;
  readonly "Startup Cost": number;
  readonly "Total Cost": number;
  readonly "Parallel Aware"?: boolean;
  readonly "Workers Planned"?: number;
  readonly Schema?: string;
  readonly "Relation Name"?: string;
  readonly Alias?: string;
  readonly Filter?: string;
  readonly "Join Filter"?: string;
  readonly "Sort Key"?: readonly string[];
  readonly Plans?: readonly PlanNode[];
  readonly [other: string]: unknown;
}

/** Of what EXPLAIN answered; throws where that is no plan. */
export function readPlan(json: string): PlanNode {
  const [answer] = JSON.parse(json) as [{ Plan?: PlanNode } | undefined];
  if (answer?.Plan === undefined) throw new TypeError("expected a plan");
  return answer.Plan;
}

/** A step with those above it, the nearest first. */
export interface PlacedNode {
  readonly node: PlanNode;
  readonly above: readonly PlanNode[];
}

/** All steps, from the top. */
export function walkPlan(node: PlanNode, above: readonly PlanNode[] = []): PlacedNode[] {
  const below = (node.Plans ?? []).flatMap((child) => walkPlan(child, [node, ...above]));
  return [{ node, above }, ...below];
}

/** The tables that a plan reads, each once, 20 at most. */
export function tablesOf(plan: PlanNode): { schema: string; name: string }[] {
  const tables = new Map<string, { schema: string; name: string }>();
  for (const { node } of walkPlan(plan)) {
    const { Schema: schema, "Relation Name": name } = node;
    if (schema !== undefined && name !== undefined) tables.set(`${schema}\n${name}`, { schema, name });
  }
  return [...tables.values()].slice(0, 20);
}
