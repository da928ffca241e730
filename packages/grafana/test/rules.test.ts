import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { namings, underscoreEscapingWithSuffixes } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { createFiles, createRules, DEFAULT_SLO, DEFAULT_URLS, readSlo } from "../src/index.js";
import { createPromql } from "../src/promql.js";
import { RULE_TESTS, type RuleTest } from "./rule-tests.js";

interface Rule {
  record?: string;
  alert?: string;
  expr: string;
  for?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

const rulesOf = (text: string) => (parse(text) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules);
const all = rulesOf(createRules(underscoreEscapingWithSuffixes, DEFAULT_SLO, "http://grafana:3000"));
const alerts = all.filter(({ alert }) => alert !== undefined);
const nameOf = ({ alert, labels }: Rule) => `${alert}/${labels?.["severity"]}`;

describe("every alert", () => {
  test.each(alerts.map((rule) => [nameOf(rule), rule] as const))("%s says what it means and what to do", (_, rule) => {
    const { summary = "", runbook = "", dashboard = "" } = rule.annotations ?? {};
    expect(rule.labels?.["severity"]).toMatch(/^(page|warn)$/);
    expect(summary).toContain("{{ $labels.job }}");
    // A paragraph, not a word.
    expect(runbook.split(". ").length).toBeGreaterThan(2);
    expect(dashboard).toMatch(/^http:\/\/grafana:3000\/d\/telltale-[a-z]+\?var-service=/);
  });

  test("has a name of its own with its severity, and is proved to fire and to be silent", () => {
    const names = alerts.map(nameOf);
    expect(new Set(names).size).toBe(names.length);
    const proved = (fires: boolean) =>
      new Set(RULE_TESTS.filter((one) => (one.fires !== undefined) === fires).map((one) => one.alert));
    expect(proved(true)).toEqual(new Set(names));
    expect(proved(false)).toEqual(new Set(names));
  });
});

describe("slo.yaml decides", () => {
  const rulesWith = (slo: string) => rulesOf(createRules(underscoreEscapingWithSuffixes, readSlo(slo), "http://g"));

  test("thresholds", () => {
    const expressions = rulesWith("{ pools: { utilization: 0.5 }, requests: { errorRatio: 0.002 } }");
    const of = (name: string) => expressions.find((rule) => nameOf(rule) === name)?.expr;
    expect(of("PoolNearlyFull/warn")).toMatch(/ > 0\.5$/);
    expect(of("RequestErrors/page")).toContain("> 0.0288");
  });

  test("which services the rules are for, in every expression", () => {
    for (const { record, alert, expr } of rulesWith("services: [shop, a.b]")) {
      const selectors = expr.match(/[a-z_:][a-z0-9_:]*\{[^}]*\}/g) ?? [];
      expect(selectors.length, record ?? alert).toBeGreaterThan(0);
      for (const selector of selectors) expect(selector).toContain('job=~"shop|a\\\\.b"');
    }
  });

  test("no burn rate is asked for that all requests together could not reach", () => {
    // 14.4 × 0.1 is more than all requests; 6 × 0.1 is not.
    const page = rulesWith("requests: { errorRatio: 0.1 }").find((rule) => nameOf(rule) === "RequestErrors/page");
    expect(page?.expr).toContain("> 0.6");
    expect(page?.expr).not.toContain("ratio1h");
    const none = rulesWith("requests: { errorRatio: 0.5 }").find((rule) => nameOf(rule) === "RequestErrors/page");
    expect(none).toBeUndefined();
  });
});

describeWith(["prometheus"], "Prometheus and Alertmanager accept", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "telltale-rules-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function run(program: string, ...args: string[]) {
    const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", cwd: folder });
    if (error) throw error;
    return { status, output: stdout + stderr };
  }

  function write(strategy: keyof typeof namings): string {
    const files = createFiles({
      naming: namings[strategy],
      slo: DEFAULT_SLO,
      urls: DEFAULT_URLS,
      dashboardFolder: "/dashboards",
    });
    const target = join(folder, strategy);
    for (const [path, text] of files) {
      mkdirSync(dirname(join(target, path)), { recursive: true });
      writeFileSync(join(target, path), text);
    }
    return target;
  }

  // Names with dots need Prometheus 3, which Debian does not have yet.
  const forPrometheus2 = ["UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes", "upstream"] as const;

  test.each(forPrometheus2)("rules and configurations with %s", (strategy) => {
    const target = write(strategy);
    expect(run("promtool", "check", "config", join(target, "prometheus/prometheus.yaml"))).toMatchObject({ status: 0 });
    const rules = run("promtool", "check", "rules", join(target, "prometheus/telltale.rules.yaml"));
    expect(rules).toEqual({ status: 0, output: expect.stringContaining(`SUCCESS: ${all.length} rules found`) });
  });

  function runTests(name: string, tests: readonly RuleTest[]) {
    const rules = join(write("UnderscoreEscapingWithSuffixes"), "prometheus/telltale.rules.yaml");
    const interval = tests.some(({ takesDay }) => takesDay) ? "5m" : "1m";
    const file = join(folder, name);
    const content = {
      rule_files: [rules],
      evaluation_interval: interval,
      // Otherwise it takes them in any order, and alerts may see what was recorded one interval before.
      group_eval_order: ["telltale-recording", "telltale-alerts"],
      tests: [toPromtool(tests, interval)],
    };
    writeFileSync(file, stringify(content, { lineWidth: 0 }));
    return run("promtool", "test", "rules", file);
  }
  const passed = { status: 0, output: expect.stringContaining("SUCCESS") };

  test("every alert as it should", () => {
    expect(
      runTests(
        "minutes.yaml",
        RULE_TESTS.filter(({ takesDay }) => !takesDay),
      ),
    ).toEqual(passed);
  });

  test("every alert that compares with the day before", () => {
    expect(
      runTests(
        "day.yaml",
        RULE_TESTS.filter(({ takesDay }) => takesDay),
      ),
    ).toEqual(passed);
  });

  test("an alert about what has no route says so", () => {
    const rules = join(write("UnderscoreEscapingWithSuffixes"), "prometheus/telltale.rules.yaml");
    const rule = alerts.find(({ alert }) => alert === "NewNPlusOne");
    const summary =
      "what has no route of a runs one redis query again and again in a request (N+1), which it did not do before";
    const dashboard = `${DEFAULT_URLS.grafana}/d/telltale-findings?var-service=a&var-route=`;
    const labels = 'job="a",telltale_finding_kind="n_plus_one",db_system_name="redis"';
    const test = {
      interval: "1m",
      input_series: [{ series: `telltale_findings_total{${labels}}`, values: "1x5" }],
      alert_rule_test: [
        {
          alertname: "NewNPlusOne",
          eval_time: "5m",
          exp_alerts: [
            {
              exp_labels: { severity: "warn", job: "a", db_system_name: "redis" },
              exp_annotations: { summary, runbook: rule?.annotations?.["runbook"], dashboard },
            },
          ],
        },
      ],
    };
    const file = join(folder, "routeless.yaml");
    writeFileSync(file, stringify({ rule_files: [rules], tests: [test] }, { lineWidth: 0 }));
    expect(run("promtool", "test", "rules", file)).toEqual(passed);
  });

  // Ten minutes until minute 20.
  test.each([
    ["the first one just now", "_x19 1", 1],
    ["the first one some time ago", "_x14 1x6", 1],
    ["none", "7x20", 0],
    // Eight in truth: where both lives begin with an event, one is lost.
    ["seven, then a restart, then one", "_x11 7x3 stale _x1 1x3", 7],
    ["seven of a process that is gone", "_x11 7x3 stale", 7],
    ["one, then a restart, then seven", "_x11 1x3 stale _x1 7x3", 7],
  ])("findings of a time: %s", (_, values, expected) => {
    const { gained, sum } = createPromql(underscoreEscapingWithSuffixes, { target: { job: "=a" }, window: "10m" });
    const file = join(folder, "gained.yaml");
    const test = {
      interval: "1m",
      input_series: [{ series: 'telltale_findings_total{job="a"}', values }],
      promql_expr_test: [
        { expr: sum([], gained("findings")), eval_time: "20m", exp_samples: [{ labels: "{}", value: expected }] },
      ],
    };
    writeFileSync(file, stringify({ rule_files: [], tests: [test] }));
    expect(run("promtool", "test", "rules", file)).toEqual(passed);
  });

  test("not just anything", () => {
    const wrong = RULE_TESTS.slice(0, 1).map((one) => Object.assign({}, one, { fires: { slo: "another" } }));
    expect(runTests("wrong.yaml", wrong)).toMatchObject({ status: 1 });
  });
});

/**
 * All tests at once, each with a job of its own: one does not touch another. They ask for the series that Prometheus makes of a firing
 * alert, so that its texts need not be repeated here.
 */
function toPromtool(tests: readonly RuleTest[], interval: string) {
  const series: { series: string; values: string }[] = [];
  const expectations = tests.map(({ alert, title, series: given, at, fires }) => {
    const [alertname = "", severity = ""] = alert.split("/");
    const job = `${alert}: ${title}`;
    for (const [name, values] of Object.entries(given)) {
      series.push({ series: name.replace("{", `{job="${job}",`), values });
    }
    const labels = { alertname, alertstate: "firing", severity, job, ...fires };
    const list = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
    return {
      expr: `ALERTS{alertname="${alertname}", severity="${severity}", alertstate="firing", job="${job}"}`,
      eval_time: `${at}m`,
      exp_samples: fires === undefined ? [] : [{ labels: `ALERTS{${list.join(",")}}`, value: 1 }],
    };
  });
  return { interval, input_series: series, promql_expr_test: expectations };
}
