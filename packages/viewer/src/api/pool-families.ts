import { METRICS } from "@telltale/core";
import type { AttributeMap } from "./answers.js";
import { numberOf, textOf } from "./attributes.js";

/** How metrics tell of pools of one kind: by the conventions of now, those of before, and Telltale's own. */
export interface PoolFamily {
  readonly connections: readonly string[];
  /** The attribute that says what state connections are in. */
  readonly states: readonly string[];
  readonly pending: readonly string[];
  readonly limit: readonly string[];
  readonly timeouts: readonly string[];
  readonly wait: readonly string[];
  nameOf(attributes: AttributeMap): string | null;
  systemOf(attributes: AttributeMap): string | null;
}

export const POOL_FAMILIES: readonly PoolFamily[] = [
  {
    connections: [METRICS.poolConnections.name, "db.client.connections.usage"],
    states: ["db.client.connection.state", "db.client.connections.state", "state"],
    pending: [METRICS.poolPending.name, "db.client.connections.pending_requests"],
    limit: [METRICS.poolLimit.name, "db.client.connection.max", "db.client.connections.max"],
    timeouts: [METRICS.poolTimeouts.name, "db.client.connections.timeouts"],
    wait: [METRICS.poolWait.name, "db.client.connections.wait_time"],
    nameOf: (attributes) =>
      textOf(attributes, "db.client.connection.pool.name", "db.client.connections.pool.name", "pool.name"),
    systemOf: (attributes) => textOf(attributes, "db.system.name", "db.system"),
  },
  {
    connections: [METRICS.resources.name],
    states: ["telltale.pool.state"],
    pending: [METRICS.resourcePending.name],
    limit: [METRICS.resourceLimit.name],
    timeouts: [METRICS.resourceTimeouts.name],
    wait: [METRICS.resourceWait.name],
    nameOf: (attributes) => textOf(attributes, "telltale.pool.name"),
    systemOf: () => null,
  },
  {
    connections: [METRICS.httpConnections.name],
    states: ["http.connection.state"],
    pending: [METRICS.httpPending.name],
    limit: [METRICS.httpLimit.name],
    timeouts: [],
    wait: [METRICS.httpWait.name],
    nameOf(attributes) {
      const address = textOf(attributes, "server.address");
      const port = numberOf(attributes, "server.port");
      return address === null || port === null ? address : `${address}:${port}`;
    },
    systemOf: () => "http",
  },
];

/** Values of states that mean lent. */
export const USED_STATES: readonly (string | null)[] = ["used", "active"];
