import type { HrTime } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { type HttpClientOperation, type HttpServerOperation, listenerSlot, METRICS } from "@telltale/core";
import { boundIfKnown, type Bounds } from "./bounds.js";
import { histogramSetData, known, numberSetData } from "./metric-data.js";
import { createHistogramSet, createNumberSet, type NumberSeries, observe } from "./series.js";

export function createHttpMetrics(maxSeries: number, bounds: Bounds) {
  const served = createHistogramSet(METRICS.httpServerDuration, maxSeries);
  const active = createNumberSet(METRICS.httpServerActive, maxSeries);
  const sent = createHistogramSet(METRICS.httpClientDuration, maxSeries);
  const slot = listenerSlot();

  return {
    serverStarted({ method, scheme, request }: HttpServerOperation): void {
      if (request === undefined) return;
      const series =
        active.get(method, scheme) ??
        active.add(known({ "http.request.method": method, "url.scheme": scheme }), method, scheme);
      series.value++;
      // Requests that began before we listened have none, and are not taken off either.
      request.slots[slot] = series;
    },

    serverEnded(operation: HttpServerOperation): void {
      const { method, scheme, protocolVersion, request } = operation;
      const started = request?.slots[slot] as NumberSeries | undefined;
      if (started !== undefined) started.value--;
      const route = boundIfKnown(bounds.route, request?.route);
      const status = operation.statusCode === 0 ? undefined : operation.statusCode;
      const errorType = boundIfKnown(bounds.errorType, operation.errorType);
      let series = served.get(route, status, method, errorType, scheme, protocolVersion);
      if (series === undefined) {
        const attributes = known({
          "http.request.method": method,
          "http.route": route,
          "http.response.status_code": status,
          "url.scheme": scheme,
          "network.protocol.version": protocolVersion,
          "error.type": errorType,
        });
        series = served.add(attributes, route, status, method, errorType, scheme, protocolVersion);
      }
      observe(series, (operation.endMs - operation.startMs) / 1000);
    },

    clientEnded(operation: HttpClientOperation): void {
      const { method, serverPort } = operation;
      const address = bounds.serverAddress.bound(operation.serverAddress);
      const status = operation.statusCode === 0 ? undefined : operation.statusCode;
      const errorType = boundIfKnown(bounds.errorType, operation.errorType);
      let series = sent.get(address, serverPort, method, status, errorType);
      if (series === undefined) {
        const attributes = known({
          "http.request.method": method,
          "server.address": address,
          "server.port": serverPort,
          "http.response.status_code": status,
          "error.type": errorType,
        });
        series = sent.add(attributes, address, serverPort, method, status, errorType);
      }
      observe(series, (operation.endMs - operation.startMs) / 1000);
    },

    collect: (now: HrTime): MetricData[] => [
      ...histogramSetData(served, now),
      ...numberSetData(active, now),
      ...histogramSetData(sent, now),
    ],
  };
}
