import { type HttpClientOperation, METRICS, OVERFLOW_LABEL } from "@telltale/core";
import { boundIfKnown, type Bounds } from "./bounds.js";
import type { HistogramSeries } from "./histogram-series.js";
import { recordedHistograms } from "./recorded.js";
import { createHistogramSet } from "./series-set.js";

/** One series of one host. */
class Outcome {
  readonly port: number | undefined;
  readonly method: string;
  readonly status: number;
  readonly errorType: string | undefined;
  readonly series: HistogramSeries;

  constructor(
    { method, statusCode }: HttpClientOperation,
    port: number | undefined,
    errorType: string | undefined,
    series: HistogramSeries,
  ) {
    this.port = port;
    this.method = method;
    this.status = statusCode;
    this.errorType = errorType;
    this.series = series;
  }
}

export function createHttpClientMetrics(maxSeries: number, bounds: Bounds) {
  const durations = createHistogramSet(METRICS.httpClientDuration, maxSeries);
  const ofOther: Outcome[] = [];
  const byAddress = new Map([[OVERFLOW_LABEL, ofOther]]);

  function findOutcomes(address: string): Outcome[] {
    const bounded = bounds.serverAddress.bound(address);
    let outcomes = byAddress.get(bounded);
    if (outcomes === undefined) byAddress.set(bounded, (outcomes = []));
    return outcomes;
  }

  return {
    ended(operation: HttpClientOperation): void {
      const { serverAddress, method, statusCode } = operation;
      const outcomes = byAddress.get(serverAddress) ?? findOutcomes(serverAddress);
      // Servers without number have ports without number: bounding one of them would bound nothing.
      const port = outcomes === ofOther ? undefined : operation.serverPort;
      const errorType = boundIfKnown(bounds.errorType, operation.errorType);
      for (const one of outcomes) {
        if (one.status !== statusCode || one.port !== port || one.errorType !== errorType) continue;
        if (one.method !== method) continue;
        one.series.time(operation);
        return;
      }
      if (durations.isFull) {
        durations.refuse().time(operation);
        return;
      }
      const series = durations.add({
        "http.request.method": method,
        "server.address": outcomes === ofOther ? OVERFLOW_LABEL : serverAddress,
        "server.port": port,
        "http.response.status_code": statusCode === 0 ? undefined : statusCode,
        "error.type": errorType,
      });
      outcomes.push(new Outcome(operation, port, errorType, series));
      series.time(operation);
    },

    read: () => [recordedHistograms(durations)],
  };
}
