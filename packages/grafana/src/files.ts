import type { Naming } from "@telltale/core";
import { createDashboards } from "./dashboards.js";
import {
  createAlertmanagerConfig,
  createDashboardProvider,
  createDatasources,
  createPrometheusConfig,
  type Urls,
} from "./provisioning.js";
import { createRules } from "./rules.js";
import type { Slo } from "./slo.js";

export interface FilesOptions {
  readonly naming: Naming;
  readonly slo: Slo;
  readonly urls: Urls;
  /** Where Grafana finds the dashboards. */
  readonly dashboardFolder: string;
}

/** Of them, examples that their owner goes on from: once changed they must not be written over. */
export const EXAMPLES: readonly string[] = ["prometheus/prometheus.yaml", "alertmanager/alertmanager.yaml"];

/** Everything for Grafana, Prometheus and Alertmanager, by path. */
export function createFiles({ naming, slo, urls, dashboardFolder }: FilesOptions): Map<string, string> {
  const files = new Map<string, string>();
  for (const dashboard of createDashboards(naming, slo)) {
    files.set(`dashboards/${dashboard.uid}.json`, `${JSON.stringify(dashboard, undefined, 2)}\n`);
  }
  files.set("provisioning/dashboards/telltale.yaml", createDashboardProvider(dashboardFolder));
  files.set("provisioning/datasources/telltale.yaml", createDatasources(urls));
  files.set("prometheus/telltale.rules.yaml", createRules(naming, slo, urls.grafana));
  files.set("prometheus/prometheus.yaml", createPrometheusConfig(urls, "telltale.rules.yaml"));
  files.set("alertmanager/alertmanager.yaml", createAlertmanagerConfig(naming));
  return files;
}
