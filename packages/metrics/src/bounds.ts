import { createLabelSet, type LabelSet } from "@telltale/core";

/** Labels whose values come from the program or from the outside; one set each for all metrics, so that `other` is the same everywhere. */
export interface Bounds {
  readonly route: LabelSet;
  readonly summary: LabelSet;
  readonly errorType: LabelSet;
  /** Of sent requests: a crawler meets a new one with each. */
  readonly serverAddress: LabelSet;
}

const MAX_ROUTES = 500;
const MAX_ERROR_TYPES = 100;
const MAX_SERVERS = 200;

export function createBounds(maxSummaries: number): Bounds {
  return {
    route: createLabelSet("http.route", MAX_ROUTES),
    summary: createLabelSet("db.query.summary", maxSummaries),
    errorType: createLabelSet("error.type", MAX_ERROR_TYPES),
    serverAddress: createLabelSet("server.address", MAX_SERVERS),
  };
}

/** A bounded value of something that may not be known. */
export function boundIfKnown(labels: LabelSet, value: string | undefined): string | undefined {
  return value === undefined ? undefined : labels.bound(value);
}
