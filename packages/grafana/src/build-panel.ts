import { PanelBuilder as BarBuilder } from "@grafana/grafana-foundation-sdk/bargauge";
import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  FieldColorBuilder,
  FieldColorModeId,
  type Panel as GrafanaPanel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder, PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TableBuilder } from "@grafana/grafana-foundation-sdk/table";
import { PanelBuilder as TimeBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import type { BarPanel, Panel, Query, StatPanel, Step, TablePanel, TimePanel } from "./panel.js";
import type { Promql } from "./promql.js";

/** The data source that the reader of a dashboard chooses. */
export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

const HEIGHTS: Readonly<Record<Panel["type"], number>> = { stat: 4, time: 8, bars: 8, table: 10 };

/** A panel as Grafana wants it; where it stands is the dashboard's business. */
export function buildPanel(panel: Panel, id: number, q: Promql): Builder<GrafanaPanel> {
  const { title, shows, good, otherwise, width } = panel;
  const description = `${shows}\n\n**Good:** ${good}\n\n**Otherwise:** ${otherwise}`;
  return startPanel(panel, q)
    .id(id)
    .title(title)
    .description(description)
    .datasource(DATASOURCE)
    .span(width)
    .height(HEIGHTS[panel.type]);
}

function startPanel(panel: Panel, q: Promql) {
  switch (panel.type) {
    case "stat":
      return startStat(panel);
    case "time":
      return startTime(panel);
    case "bars":
      return startBars(panel);
    case "table":
      return startTable(panel, q);
  }
}

function startStat({ unit, steps, query }: StatPanel): StatBuilder {
  return new StatBuilder()
    .unit(unit)
    .thresholds(thresholds(steps))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(lastValue())
    .withTarget(target(query, "A"));
}

function startTime({ unit, steps, queries, stacked = false }: TimePanel): TimeBuilder {
  const builder = new TimeBuilder()
    .unit(unit)
    .min(0)
    .thresholds(thresholds(steps))
    .thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(
        steps.length > 1 ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off,
      ),
    )
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .lineWidth(stacked ? 1 : 2)
    .fillOpacity(stacked ? 40 : 0)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .calcs(["mean", "max", "lastNotNull"])
        .sortBy("Max")
        .sortDesc(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (stacked) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group("A"));
  for (const [n, query] of queries.entries()) builder.withTarget(target(query, refId(n)));
  return builder;
}

function startBars({ unit, steps, query }: BarPanel): BarBuilder {
  return new BarBuilder()
    .unit(unit)
    .min(0)
    .thresholds(thresholds(steps))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .orientation(VizOrientation.Horizontal)
    .reduceOptions(lastValue())
    .withTarget(target(query, "A").instant());
}

/** One instant query for each column, merged by their labels. */
function startTable({ rows, columns }: TablePanel, q: Promql): TableBuilder {
  const [first] = columns;
  const builder = new TableBuilder()
    .unit(first?.unit ?? "short")
    .thresholds(thresholds(first?.steps ?? []))
    .sortBy([new TableSortByFieldStateBuilder().displayName(first?.title ?? "").desc(true)]);
  const names: Record<string, string> = {};
  for (const { label, title } of rows) names[q.label(label)] = title;
  for (const [n, { title, expression, unit, steps }] of columns.entries()) {
    const id = refId(n);
    builder.withTarget(target({ expression, legend: title }, id).instant().format(PromQueryFormat.Table));
    builder.overrideByName(title, [
      { id: "unit", value: unit },
      { id: "thresholds", value: thresholds(steps).build() },
      { id: "custom.cellOptions", value: { type: steps.length > 1 ? "color-text" : "auto" } },
    ]);
    // A table of one query calls its figures by no id.
    names[columns.length === 1 ? "Value" : `Value #${id}`] = title;
  }
  const order = Object.fromEntries(Object.keys(names).map((name, n) => [name, n]));
  return builder.withTransformation({ id: "merge", options: {} }).withTransformation({
    id: "organize",
    options: { excludeByName: { Time: true }, indexByName: order, renameByName: names },
  });
}

function target({ expression, legend, exemplars = false }: Query, id: string): DataqueryBuilder {
  return new DataqueryBuilder()
    .datasource(DATASOURCE)
    .refId(id)
    .expr(expression)
    .legendFormat(legend)
    .range()
    .exemplar(exemplars);
}

function thresholds(steps: readonly Step[]): ThresholdsConfigBuilder {
  const list = steps.map(({ from, color }): Threshold => ({ value: from ?? null, color }));
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(list);
}

function lastValue(): ReduceDataOptionsBuilder {
  return new ReduceDataOptionsBuilder().calcs(["lastNotNull"]);
}

/** A, B, C … */
function refId(n: number): string {
  return String.fromCodePoint("A".charCodeAt(0) + n);
}
