import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** One query of what `telltale grafana` wrote. */
export interface Query {
  /** Where it stands: `Pools / Held / A`. */
  readonly name: string;
  readonly expression: string;
  /** Labels that its series must have, so that their names say something. */
  readonly labels: readonly string[];
  /** As Grafana names it. */
  readonly unit?: string | undefined;
  readonly exemplars?: boolean;
}

interface Target {
  refId: string;
  expr: string;
  legendFormat: string;
  exemplar?: boolean;
}

interface Panel {
  type: string;
  title: string;
  targets?: Target[];
  fieldConfig?: {
    defaults: { unit?: string };
    overrides?: { matcher: { options: string }; properties: { id: string; value: unknown }[] }[];
  };
  transformations?: { id: string; options: { renameByName?: Record<string, string> } }[];
}

interface Dashboard {
  title: string;
  panels: Panel[];
  templating: { list: { name: string; type: string; query: { query: string } }[] };
  annotations: { list: { name: string; expr: string }[] };
}

/** Every query of every dashboard, with its variables replaced. */
export function dashboardQueries(folder: string, variables: Readonly<Record<string, string>>): Query[] {
  const replace = (text: string): string =>
    text.replaceAll(/\$(\w+)/g, (all, name: string) => {
      const value = variables[name];
      if (value === undefined) throw new Error(`no value for ${all}`);
      return value;
    });
  return readdirSync(folder).flatMap((file) => {
    const dashboard = JSON.parse(readFileSync(join(folder, file), "utf8")) as Dashboard;
    const prefix = dashboard.title.replace("Telltale / ", "");
    const panels = dashboard.panels.flatMap((panel) =>
      (panel.targets ?? []).map((target): Query => ({
        name: `${prefix} / ${panel.title} / ${target.refId}`,
        expression: replace(target.expr),
        labels: panel.type === "table" ? rowLabels(panel) : legendLabels(target.legendFormat),
        unit: columnUnit(panel, target) ?? panel.fieldConfig?.defaults.unit,
        exemplars: target.exemplar === true,
      })),
    );
    const annotations = dashboard.annotations.list.map(({ name, expr }) => ({
      name: `${prefix} / annotation ${name}`,
      expression: replace(expr),
      labels: ["alertname"],
    }));
    return panels.concat(annotations);
  });
}

/** What the variables ask for: the metric and the label. */
export function variableQueries(folder: string): { name: string; selector: string; label: string }[] {
  return readdirSync(folder).flatMap((file) => {
    const { title, templating } = JSON.parse(readFileSync(join(folder, file), "utf8")) as Dashboard;
    return templating.list
      .filter(({ type }) => type === "query")
      .map(({ name, query }) => {
        const [, selector = "", label = ""] = /^label_values\((.+), (\S+)\)$/.exec(query.query) ?? [];
        return { name: `${title} / $${name}`, selector, label };
      });
  });
}

function legendLabels(legend: string): string[] {
  return [...legend.matchAll(/\{\{([^}]+)\}\}/g)].map(([, label = ""]) => label);
}

function rowLabels({ transformations = [] }: Panel): string[] {
  const names = transformations.find(({ id }) => id === "organize")?.options.renameByName ?? {};
  return Object.keys(names).filter((name) => !name.startsWith("Value"));
}

function columnUnit({ fieldConfig }: Panel, { legendFormat }: Target): string | undefined {
  const own = fieldConfig?.overrides?.find(({ matcher }) => matcher.options === legendFormat);
  return own?.properties.find(({ id }) => id === "unit")?.value as string | undefined;
}

interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  labels?: Record<string, string>;
}

function readRules(file: string): Rule[] {
  const { groups } = parse(readFileSync(file, "utf8")) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/**
 * What rules rest on: every expression that is recorded, and, as an alert is there only when something is wrong, every series that an
 * alert reads.
 */
export function ruleQueries(file: string): Query[] {
  return readRules(file).flatMap(({ record, alert, expr, labels: own = {} }): Query[] => {
    const tag = Object.values(own).join(" ");
    if (record !== undefined) return [{ name: `rule ${record} ${tag}`.trim(), expression: expr, labels: [] }];
    return selectorsOf(expr).map((selector) => ({
      name: `alert ${alert} ${tag}: ${selector}`,
      expression: readable(selector),
      labels: [],
    }));
  });
}

const KEYWORDS = new Set(["and", "or", "unless", "offset", "by", "on", "ignoring", "group_left"]);

/** Selectors in an expression, with their range and offset. */
function selectorsOf(expression: string): string[] {
  const withoutLabels = expression.replaceAll(/\b(by|on|ignoring|group_left)\s*\([^)]*\)/g, " ");
  const pattern = /(?<![\w.])([a-zA-Z_:][\w:]*)(?!\w*\s*\()(\{[^}]*\})?(\[[^\]]+\])?( offset \w+)?/g;
  const found = [...withoutLabels.matchAll(pattern)].filter(([, name = ""]) => !KEYWORDS.has(name));
  return [...new Set(found.map(([selector]) => selector))];
}

/** A subquery has no data before its first step; what it reads has. */
function readable(selector: string): string {
  return selector.includes("[") ? `count_over_time(${selector.replace(/:\w+\]/, "]")})` : selector;
}
