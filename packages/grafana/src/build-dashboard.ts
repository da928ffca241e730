import {
  AnnotationQueryBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { buildPanel, DATASOURCE } from "./build-panel.js";
import { type DashboardPlan, SERVICE, type VariableName } from "./panel.js";
import type { Promql } from "./promql.js";

/** All dashboards have it; the links between them go by it. */
const TAG = "telltale";

/** A dashboard as Grafana takes it from a file. */
export function buildDashboard({ uid, title, description, variables, rows }: DashboardPlan, q: Promql): Dashboard {
  const builder = new DashboardBuilder(`Telltale / ${title}`)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .editable()
    .time({ from: "now-1h", to: "now" })
    .refresh("30s")
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder("Telltale")
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .annotation(firingAlerts())
    .withVariable(
      new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus").current(FIRST_DATASOURCE),
    );
  for (const name of variables) builder.withVariable(VARIABLES[name](q));
  let id = 1;
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id(id++));
    for (const panel of row.panels) builder.withPanel(buildPanel(panel, id++, q));
  }
  return builder.build();
}

const FIRST_DATASOURCE = { selected: true, text: "default", value: "default" };

const VARIABLES: Readonly<Record<VariableName, (q: Promql) => QueryVariableBuilder>> = {
  service: (q) => listOf("service", "Service", `label_values(${q.about({}).value("uptime")}, job)`),
  instance: (q) =>
    several(listOf("instance", "Instance", `label_values(${q.about(SERVICE).value("uptime")}, instance)`)),
  route: (q) => {
    const requests = q.about(SERVICE).value("httpServerDuration");
    return several(listOf("route", "Route", `label_values(${requests}, ${q.label("http.route")})`));
  },
};

/** Which of its kinds of queries Grafana's editor of variables shows. */
const LABEL_VALUES = 1;

function listOf(name: VariableName, title: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(title)
    .datasource(DATASOURCE)
    .query({ qryType: LABEL_VALUES, query, refId: `variable ${name}` })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}

/** Any number of values, at first all; what has no value at all belongs to all. */
function several(variable: QueryVariableBuilder): QueryVariableBuilder {
  return variable
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ selected: true, text: ["All"], value: ["$__all"] });
}

/** Alerts of the service, as marks on every panel. */
function firingAlerts(): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name("Alerts")
    .datasource(DATASOURCE)
    .enable(true)
    .iconColor("red")
    .expr('ALERTS{alertstate="firing", job="$service"}')
    .titleFormat("{{alertname}}")
    .textFormat("{{severity}}")
    .step("60s");
}
