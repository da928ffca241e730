import { type DatabaseOperation, type HttpServerOperation, requestSlot, METRICS } from "@telltale/core";
import { boundIfKnown, type Bounds } from "./bounds.js";
import type { HistogramSeries } from "./histogram-series.js";
import type { NumberSeries } from "./number-series.js";
import { recordedHistograms, recordedNumbers } from "./recorded.js";
import { createHistogramSet, createNumberSet } from "./series-set.js";

/**
 * Requests that arrive alike, and their routes; found when a request arrives and kept in its slot, so that its end has only the route
 * and the outcome to look for.
 */
class Arrivals {
  readonly method: string;
  readonly scheme: string;
  readonly protocolVersion: string;
  readonly active: NumberSeries;
  readonly routes = new Map<string | undefined, RouteSeries>();

  constructor({ method, scheme, protocolVersion }: HttpServerOperation, active: NumberSeries) {
    this.method = method;
    this.scheme = scheme;
    this.protocolVersion = protocolVersion;
    this.active = active;
  }
}

/** What is counted of one route. */
class RouteSeries {
  /** Bounded. */
  readonly route: string | undefined;
  readonly outcomes: Outcome[] = [];
  /** Undefined until a request has made a query. */
  queries: NumberSeries | undefined = undefined;

  constructor(route: string | undefined) {
    this.route = route;
  }
}

/** One series of one route. */
class Outcome {
  readonly status: number;
  readonly errorType: string | undefined;
  readonly series: HistogramSeries;

  constructor(status: number, errorType: string | undefined, series: HistogramSeries) {
    this.status = status;
    this.errorType = errorType;
    this.series = series;
  }
}

export function createHttpServerMetrics(maxSeries: number, bounds: Bounds) {
  const durations = createHistogramSet(METRICS.httpServerDuration, maxSeries);
  const active = createNumberSet(METRICS.httpServerActive, maxSeries);
  const queries = createNumberSet(METRICS.requestQueries, maxSeries);
  const slot = requestSlot();
  /** How many queries a request has made. */
  const queriesSlot = requestSlot();
  /** A few: known methods, http and https, the versions that the parser takes. */
  const arrivals: Arrivals[] = [];

  function findArrivals(operation: HttpServerOperation): Arrivals {
    const { method, scheme, protocolVersion } = operation;
    for (const one of arrivals) {
      if (one.method === method && one.scheme === scheme && one.protocolVersion === protocolVersion) return one;
    }
    const series = active.of({ "http.request.method": method, "url.scheme": scheme });
    const found = new Arrivals(operation, series);
    if (arrivals.length < maxSeries) arrivals.push(found);
    return found;
  }

  function findRoute({ routes }: Arrivals, route: string | undefined): RouteSeries {
    const bounded = boundIfKnown(bounds.route, route);
    let found = routes.get(bounded);
    if (found === undefined) routes.set(bounded, (found = new RouteSeries(bounded)));
    return found;
  }

  function addQueries(found: RouteSeries, method: string, made: number): void {
    found.queries ??= queries.of({ "http.request.method": method, "http.route": found.route });
    found.queries.value += made;
  }

  return {
    started(operation: HttpServerOperation): void {
      const { request } = operation;
      if (request === undefined) return;
      const found = findArrivals(operation);
      found.active.value++;
      request.slots[slot] = found;
    },

    /** A call for a request: counted now, as its route may not be known yet, and added up at its end. */
    queried({ template, request }: DatabaseOperation): void {
      if (request === undefined || template.effect === "control" || template.system === "redis") return;
      request.slots[queriesSlot] = ((request.slots[queriesSlot] as number | undefined) ?? 0) + 1;
    },

    ended(operation: HttpServerOperation): void {
      const { request, statusCode } = operation;
      let arrived = request?.slots[slot] as Arrivals | undefined;
      // Requests that began before we listened were not counted, and are not taken off either.
      if (arrived === undefined) arrived = findArrivals(operation);
      else if (!operation.isStreaming) arrived.active.value--;
      const route = request?.route;
      const found = arrived.routes.get(route) ?? findRoute(arrived, route);
      const made = request?.slots[queriesSlot] as number | undefined;
      if (made !== undefined) addQueries(found, arrived.method, made);
      const { outcomes } = found;
      const errorType = boundIfKnown(bounds.errorType, operation.errorType);
      for (const one of outcomes) {
        if (one.status !== statusCode || one.errorType !== errorType) continue;
        one.series.time(operation);
        return;
      }
      if (durations.isFull) {
        durations.refuse().time(operation);
        return;
      }
      const series = durations.add({
        "http.request.method": arrived.method,
        "http.route": found.route,
        "http.response.status_code": statusCode === 0 ? undefined : statusCode,
        "url.scheme": arrived.scheme,
        "network.protocol.version": arrived.protocolVersion,
        "error.type": errorType,
      });
      outcomes.push(new Outcome(statusCode, errorType, series));
      series.time(operation);
    },

    responseEnded({ request }: HttpServerOperation): void {
      const arrived = request?.slots[slot] as Arrivals | undefined;
      if (arrived !== undefined) arrived.active.value--;
    },

    read: () => [recordedHistograms(durations), recordedNumbers(active), recordedNumbers(queries)],
  };
}
