import type { Label, Promql } from "./promql.js";
import type { Slo } from "./slo.js";

/** What dashboards are made from. */
export interface Material {
  /** Selects by the variables of the dashboard, over Grafana's own interval. */
  readonly q: Promql;
  readonly slo: Slo;
}

/** A step of a scale: its colour begins at the value; undefined: at the lowest. */
export interface Step {
  readonly from: number | undefined;
  readonly color: "green" | "orange" | "red" | "blue";
}

export interface Query {
  readonly expression: string;
  /** Name of its series: text with `{{label}}`. */
  readonly legend: string;
  /** Whether to show exemplars, which lead to traces: buckets of requests and of database calls have them, and counters of findings. */
  readonly exemplars?: boolean;
}

interface Text {
  readonly title: string;
  /** What is to be seen. */
  readonly shows: string;
  /** What it looks like when all is well. */
  readonly good: string;
  /** What to do when it is not. */
  readonly otherwise: string;
}

interface Shape extends Text {
  /** As Grafana names units. */
  readonly unit: string;
  readonly steps: readonly Step[];
  /** In 24ths of the dashboard's width. */
  readonly width: number;
}

/** One figure. */
export interface StatPanel extends Shape {
  readonly type: "stat";
  readonly query: Query;
}

/** Lines over time. */
export interface TimePanel extends Shape {
  readonly type: "time";
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
}

/** One bar for each series. */
export interface BarPanel extends Shape {
  readonly type: "bars";
  readonly query: Query;
}

/** One row for each combination of labels. */
export interface TablePanel extends Text {
  readonly type: "table";
  readonly width: number;
  readonly rows: readonly { readonly label: Label; readonly title: string }[];
  /** The first one sorts the rows. */
  readonly columns: readonly Column[];
}

export interface Column {
  readonly title: string;
  readonly unit: string;
  readonly steps: readonly Step[];
  readonly expression: string;
}

export type Panel = StatPanel | TimePanel | BarPanel | TablePanel;

export type VariableName = "service" | "instance" | "route";

/** What the variables of a dashboard select. */
export const SERVICE = { job: "=$service" };
export const INSTANCES = { ...SERVICE, instance: "=~$instance" };

export interface DashboardPlan {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly VariableName[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

/** Nothing about the figure itself is good or bad. */
export const plain: readonly Step[] = [{ from: undefined, color: "green" }];

/** The lower the better. */
export function atMost(warn: number, bad: number): readonly Step[] {
  return [
    { from: undefined, color: "green" },
    { from: warn, color: "orange" },
    { from: bad, color: "red" },
  ];
}

/** The higher the better. */
export function atLeast(bad: number, warn: number): readonly Step[] {
  return [
    { from: undefined, color: "red" },
    { from: bad, color: "orange" },
    { from: warn, color: "green" },
  ];
}

/** None is good, one is not. */
export const none: readonly Step[] = [
  { from: undefined, color: "green" },
  { from: 1e-6, color: "red" },
];
