import type { Naming } from "@telltale/core";
import { stringify } from "yaml";
import { createPromql, type Promql } from "./promql.js";
import { type Alert, alertsOf } from "./rules/alerts.js";
import { recordingRules } from "./rules/recording.js";
import type { Slo } from "./slo.js";

const HEAD = "# Written by `telltale grafana`; change slo.yaml and run it again.\n";

/** Recording rules and alert rules for Prometheus (or Mimir, Thanos), as YAML. `grafanaUrl` is where dashboard links lead. */
export function createRules(naming: Naming, slo: Slo, grafanaUrl: string): string {
  const services = slo.services.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  const target: Record<string, string> = services.length > 0 ? { job: `=~${services.join("|")}` } : {};
  const q = createPromql(naming, { target, window: "5m" });
  const groups = [
    { name: "telltale-recording", rules: recordingRules(q, slo) },
    { name: "telltale-alerts", rules: alertsOf(q, slo).map((alert) => buildAlert(alert, q, grafanaUrl)) },
  ];
  return HEAD + stringify({ groups }, { lineWidth: 0, aliasDuplicateObjects: false });
}

function buildAlert(alert: Alert, q: Promql, grafanaUrl: string) {
  const { dashboard, variables = {} } = alert;
  const query = Object.entries(variables).map(
    ([variable, label]) => `var-${variable}={{ index $labels ${JSON.stringify(q.label(label))} | urlquery }}`,
  );
  return {
    alert: alert.alert,
    expr: alert.expr,
    for: alert.for,
    labels: { severity: alert.severity, ...alert.labels },
    annotations: {
      summary: alert.summary,
      runbook: alert.runbook,
      dashboard: `${grafanaUrl}/d/${dashboard}?${query.join("&")}`,
    },
  };
}
