import { KINDS_OF_FINDINGS, METRICS, namings, underscoreEscapingWithSuffixes } from "@telltale/core";
import { describe, expect, test } from "vitest";
import { createDashboards, DEFAULT_SLO } from "../src/index.js";

interface Target {
  refId: string;
  expr: string;
  legendFormat: string;
  exemplar?: boolean;
  instant?: boolean;
  datasource: unknown;
}
interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: unknown;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: Target[];
  fieldConfig: {
    defaults: { unit?: string; thresholds?: { steps: { value: number | null; color: string }[] } };
    overrides: { matcher: { options: string }; properties: { id: string; value: unknown }[] }[];
  };
  options?: { legend?: { showLegend: boolean } };
  transformations?: { id: string; options: { renameByName: Record<string, string> } }[];
}
interface Dashboard {
  uid: string;
  title: string;
  schemaVersion: number;
  panels: Panel[];
  templating: { list: { name: string; type: string; query: unknown }[] };
}

const DATASOURCE = { type: "prometheus", uid: "${datasource}" };
// As Grafana reads them: what JSON cannot hold is lost.
const dashboards = JSON.parse(
  JSON.stringify(createDashboards(underscoreEscapingWithSuffixes, DEFAULT_SLO)),
) as Dashboard[];
const drawn = ({ panels }: Dashboard) => panels.filter(({ type }) => type !== "row");
const panels = dashboards.flatMap((dashboard) =>
  drawn(dashboard).map((panel) => [`${dashboard.title} / ${panel.title}`, panel] as const),
);

test("there is one for each subject", () => {
  expect(dashboards.map(({ title }) => title)).toEqual(
    ["Service", "Databases", "Caches", "Pools", "Runtime", "Findings"].map((name) => `Telltale / ${name}`),
  );
  expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(dashboards.length);
  // Grafana's limits.
  for (const { uid } of dashboards) expect(uid).toMatch(/^[a-z-]{8,40}$/);
});

describe.each(dashboards.map((dashboard) => [dashboard.title, dashboard] as const))("%s", (_, dashboard) => {
  test("has ids of its own for everything, and titles", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(ids.every((id) => Number.isInteger(id) && id > 0)).toBe(true);
    expect(new Set(ids).size).toBe(ids.length);
    const titles = dashboard.panels.map(({ type, title }) => `${type} ${title}`);
    expect(new Set(titles).size).toBe(titles.length);
  });

  test("has no panel over another, none beyond its width, and no gap", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      const { x, y, w, h } = gridPos;
      expect(x + w, title).toBeLessThanOrEqual(24);
      for (let column = x; column < x + w; column++) {
        for (let row = y; row < y + h; row++) {
          expect(taken.get(`${column} ${row}`), title).toBeUndefined();
          taken.set(`${column} ${row}`, title);
        }
      }
    }
    const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
    expect(taken.size).toBe(24 * bottom);
  });

  test("uses every variable that it has, and no other", () => {
    const { list } = dashboard.templating;
    expect(list.slice(0, 3).map(({ name, type }) => `${name} ${type}`)).toEqual([
      "datasource datasource",
      "service query",
      "instance query",
    ]);
    const text = JSON.stringify(dashboard.panels);
    const used = new Set([...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name = ""]) => name));
    expect([...used].toSorted()).toEqual(list.map(({ name }) => name).toSorted());
  });
});

test("every kind of finding has a figure, and words of its own", () => {
  const stats = panels.filter(([name, { type }]) => name.startsWith("Telltale / Findings") && type === "stat");
  const kinds = stats.map(([, { targets }]) => /telltale_finding_kind="(\w+)"/.exec(targets?.[0]?.expr ?? "")?.[1]);
  expect(kinds.toSorted()).toEqual(KINDS_OF_FINDINGS.toSorted());
  expect(new Set(stats.map(([, { description }]) => description)).size).toBe(kinds.length);
});

test("whatever may become of spans is explained", () => {
  const [, spans] = panels.find(([name]) => name === "Telltale / Findings / Spans") ?? [];
  for (const outcome of ["exported", "sampled_out", "dropped", "rejected", "given_up"]) {
    expect(spans?.description).toContain(outcome);
  }
});

describe.each(panels)("%s", (_, panel) => {
  const { fieldConfig, targets = [] } = panel;

  test("says what it shows, what is good and what to do otherwise", () => {
    const [shows, good, otherwise] = (panel.description ?? "").split("\n\n");
    expect(shows).toMatch(/^\S.{10,}\.$/);
    expect(good).toMatch(/^\*\*Good:\*\* \S/);
    expect(otherwise).toMatch(/^\*\*Otherwise:\*\* \S.{10,}/);
  });

  test("has a unit, thresholds, a legend and the chosen data source", () => {
    const { unit, thresholds } = fieldConfig.defaults;
    expect(unit).toMatch(/^(short|s|bytes|percentunit|reqps|cps|ops)$/);
    expect(thresholds?.steps[0]?.value).toBeNull();
    const values = (thresholds?.steps ?? []).slice(1).map(({ value }) => value ?? Number.NaN);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    if (panel.type === "timeseries") expect(panel.options?.legend?.showLegend).toBe(true);
    expect(panel.datasource).toEqual(DATASOURCE);
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.map(({ refId }) => refId)).toEqual([..."ABCDEFGH"].slice(0, targets.length));
    for (const { legendFormat, datasource } of targets) {
      expect(legendFormat).toMatch(/\S/);
      expect(datasource).toEqual(DATASOURCE);
    }
  });

  test("selects by service and instance, and over the interval that fits", () => {
    for (const { expr, instant } of targets) {
      expect(expr).toContain('job="$service"');
      const windows = [...expr.matchAll(/\[(.+?)\]/g)].map(([, window]) => window);
      const isWhole = instant === true || expr.includes("increase(");
      for (const window of windows) expect(window).toBe(isWhole ? "$__range" : "$__rate_interval");
    }
  });

  test("shows exemplars where metrics have them", () => {
    const have =
      /(http_(server|client)_request|db_client_operation)_duration_seconds_bucket|telltale_(findings|db_slow_queries)_total/;
    for (const { expr, exemplar } of targets) if (exemplar) expect(expr).toMatch(have);
  });

  if (panel.type === "table") {
    test("names every column, with a unit of its own", () => {
      const names = panel.transformations?.find(({ id }) => id === "organize")?.options.renameByName ?? {};
      const columns = targets.map(({ refId, legendFormat }) => [
        targets.length === 1 ? "Value" : `Value #${refId}`,
        legendFormat,
      ]);
      expect(Object.entries(names)).toEqual(expect.arrayContaining(columns));
      for (const [, title] of columns) {
        const override = fieldConfig.overrides.find(({ matcher }) => matcher.options === title);
        expect(override?.properties.map(({ id }) => id)).toEqual(["unit", "thresholds", "custom.cellOptions"]);
      }
    });
  }
});

// A throughput or a number of connections is neither good nor bad by itself; everything else must say where trouble begins.
test("what has no threshold but the lowest is a plain quantity", () => {
  const without = panels
    .filter(([, { fieldConfig, type }]) => type !== "table" && fieldConfig.defaults.thresholds?.steps.length === 1)
    .filter(([, { fieldConfig }]) => !["reqps", "cps", "ops", "bytes"].includes(fieldConfig.defaults.unit ?? ""));
  expect(without.map(([name]) => name)).toEqual([
    "Telltale / Service / In flight",
    "Telltale / Service / In flight",
    "Telltale / Databases / Share of time by query",
    "Telltale / Pools / Connections",
    "Telltale / Pools / Connections to services",
    "Telltale / Pools / Lent",
    "Telltale / Pools / Waiting for these",
    "Telltale / Pools / Waited and held",
    "Telltale / Runtime / Processes",
    "Telltale / Runtime / CPU by mode",
    "Telltale / Runtime / What keeps the event loop alive",
  ]);
});

describe.each(Object.entries(namings))("with %s", (_, naming) => {
  const all = createDashboards(naming, DEFAULT_SLO);
  const expressions = all
    .flatMap((dashboard) => (JSON.parse(JSON.stringify(dashboard)) as Dashboard).panels)
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

  test("every name in every query is one that the endpoint serves", () => {
    const names = new Set(
      Object.values(METRICS).flatMap(({ name, unit, kind }) => {
        const type = kind === "updowncounter" ? "gauge" : kind;
        const family = naming.metric({ name, unit, type, isRatio: kind === "gauge" }) ?? "";
        return kind === "histogram" ? ["_bucket", "_sum", "_count"].map((part) => family + part) : [family];
      }),
    );
    expect(expressions.length).toBeGreaterThan(80);
    for (const expr of expressions) {
      const plain = [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{(?!")/g)].map(([, name = ""]) => name);
      const quoted = [...expr.matchAll(/\{"([^"]+)"/g)].map(([, name = ""]) => name);
      const used = [...plain, ...quoted].filter((name) => !name.includes(":telltale_"));
      expect(used.filter((name) => !names.has(name))).toEqual([]);
      expect(plain.length + quoted.length).toBeGreaterThan(0);
    }
  });
});
