import { type DatabaseOperation, type DatabaseTemplate, templateSlot, METRICS, OVERFLOW_LABEL } from "@telltale/core";
import { boundIfKnown, type Bounds } from "./bounds.js";
import type { HistogramSeries } from "./histogram-series.js";
import { recordedHistograms } from "./recorded.js";
import { createHistogramSet } from "./series-set.js";

/** What a template keeps of us in its slot: its series, found once. */
class TemplateSeries {
  ok: HistogramSeries | undefined = undefined;
  /** By bounded `error.type`. */
  failed: Map<string, HistogramSeries> | undefined = undefined;
}

export function createDatabaseMetrics(maxSeries: number, bounds: Bounds) {
  const durations = createHistogramSet(METRICS.dbOperationDuration, maxSeries);
  // Taken anew here and not once for the module: templates outlive a restart, and their old series must not be fed any more.
  const slot = templateSlot();
  const libraries = new Set<string>();

  /** Templates that differ only in their text or their pool share a series. */
  function findSeries(template: DatabaseTemplate, errorType: string | undefined): HistogramSeries {
    if (template.library !== undefined) libraries.add(template.library);
    const summary = boundIfKnown(bounds.summary, template.querySummary);
    // A table named by its date makes both new: bounding one of them would bound nothing.
    const overflowed = summary === OVERFLOW_LABEL && template.querySummary !== OVERFLOW_LABEL;
    return durations.of({
      "db.system.name": template.system,
      "db.namespace": template.namespace,
      "db.operation.name": template.operationName,
      "db.collection.name": overflowed ? undefined : template.collection,
      "db.query.summary": summary,
      "server.address": template.serverAddress,
      "server.port": template.serverPort,
      "error.type": errorType,
    });
  }

  function failedSeries(template: DatabaseTemplate, series: TemplateSeries, rawType: string): HistogramSeries {
    const errorType = bounds.errorType.bound(rawType);
    series.failed ??= new Map();
    let found = series.failed.get(errorType);
    if (found === undefined) series.failed.set(errorType, (found = findSeries(template, errorType)));
    return found;
  }

  return {
    /** The libraries of which calls were heard. */
    libraries: libraries as ReadonlySet<string>,
    /** With the series at hand a slot read, a walk over the first buckets, five numbers: 7 ns (`npm run bench:micro -- histogram`). */
    ended(operation: DatabaseOperation): void {
      const { template, errorType } = operation;
      const series = (template.slots[slot] ??= new TemplateSeries()) as TemplateSeries;
      const found =
        errorType === undefined
          ? (series.ok ??= findSeries(template, undefined))
          : failedSeries(template, series, errorType);
      found.time(operation);
    },
    read: () => [recordedHistograms(durations)],
  };
}
