import type { Naming } from "@telltale/core";
import { stringify } from "yaml";

/** Where the parts are, as Grafana and Prometheus reach them. */
export interface Urls {
  readonly grafana: string;
  readonly prometheus: string;
  readonly alertmanager: string;
  readonly jaeger: string;
  readonly tempo: string;
}

export const DEFAULT_URLS: Urls = {
  grafana: "http://localhost:3000",
  prometheus: "http://localhost:9090",
  alertmanager: "http://localhost:9093",
  jaeger: "http://localhost:16686",
  tempo: "http://localhost:3200",
};

const JAEGER = "telltale-jaeger";
const TEMPO = "telltale-tempo";
/** The label of exemplars, as OpenMetrics exporters of OpenTelemetry name it. */
const TRACE_ID = "trace_id";

/** Data sources for Grafana's `provisioning/datasources`: Prometheus, whose exemplars lead to Jaeger and to Tempo. */
export function createDatasources({ prometheus, alertmanager, jaeger, tempo }: Urls): string {
  const destination = (datasourceUid: string, urlDisplayLabel: string) => ({
    name: TRACE_ID,
    datasourceUid,
    urlDisplayLabel,
  });
  return stringify({
    apiVersion: 1,
    datasources: [
      {
        name: "Telltale Prometheus",
        uid: "telltale-prometheus",
        type: "prometheus",
        access: "proxy",
        url: prometheus,
        isDefault: true,
        jsonData: {
          httpMethod: "POST",
          exemplarTraceIdDestinations: [destination(JAEGER, "Open in Jaeger"), destination(TEMPO, "Open in Tempo")],
        },
      },
      { name: "Telltale Jaeger", uid: JAEGER, type: "jaeger", access: "proxy", url: jaeger },
      { name: "Telltale Tempo", uid: TEMPO, type: "tempo", access: "proxy", url: tempo },
      {
        name: "Telltale Alertmanager",
        uid: "telltale-alertmanager",
        type: "alertmanager",
        access: "proxy",
        url: alertmanager,
        jsonData: { implementation: "prometheus" },
      },
    ],
  });
}

/** For Grafana's `provisioning/dashboards`: where it finds the dashboards. */
export function createDashboardProvider(folder: string): string {
  return stringify({
    apiVersion: 1,
    providers: [
      {
        name: "telltale",
        folder: "Telltale",
        type: "file",
        allowUiUpdates: true,
        options: { path: folder },
      },
    ],
  });
}

/** A Prometheus that reads one service on this machine: an example to go on from. */
export function createPrometheusConfig({ alertmanager }: Urls, rulesFile: string): string {
  const { protocol, host, pathname } = new URL(alertmanager);
  const config = {
    global: { scrape_interval: "15s", evaluation_interval: "15s" },
    rule_files: [rulesFile],
    alerting: {
      alertmanagers: [
        {
          ...(protocol === "https:" && { scheme: "https" }),
          ...(pathname !== "/" && { path_prefix: pathname }),
          static_configs: [{ targets: [host] }],
        },
      ],
    },
    // The job is what the dashboards call service.
    scrape_configs: [{ job_name: "my-service", static_configs: [{ targets: ["localhost:9464"] }] }],
  };
  return `# An example. Exemplars need: prometheus --enable-feature=exemplar-storage
# job_name is what dashboards and alerts call the service; behind NAT or in Kubernetes, see service discovery.
${stringify(config)}`;
}

/** Pages go to one place and warnings to another; a page silences the warning of the same matter. */
export function createAlertmanagerConfig(naming: Naming): string {
  const config = {
    route: {
      receiver: "warn",
      group_by: ["alertname", "job"],
      group_wait: "30s",
      group_interval: "5m",
      repeat_interval: "12h",
      routes: [{ matchers: ['severity="page"'], receiver: "page", group_wait: "10s", repeat_interval: "1h" }],
    },
    inhibit_rules: [
      {
        source_matchers: ['severity="page"'],
        target_matchers: ['severity="warn"'],
        equal: ["alertname", "job", "instance", naming.label("telltale.cache.name")],
      },
    ],
    receivers: [
      { name: "page", webhook_configs: [{ url: "http://localhost:5001/page" }] },
      { name: "warn", webhook_configs: [{ url: "http://localhost:5001/warn" }] },
    ],
  };
  return `# An example: put your own receivers in place of the two webhooks (pagerduty_configs, slack_configs, email_configs, …).
${stringify(config)}`;
}
