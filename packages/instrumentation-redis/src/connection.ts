import type { Call } from "./call.js";
import type { Client } from "./ioredis.js";
import type { CommandShape } from "./templates.js";

/** A database on a server, as commands are sent to it. */
export interface Target {
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** The database's index. */
  readonly namespace: string;
  /** By command name, as the app spells it. */
  readonly shapes: Map<string, CommandShape>;
}

/** What is kept of one client: where its commands go now, and the transaction that is open on its connection. */
export interface Connection {
  target: Target;
  select: number;
  stream: unknown;
  /** Calls that answered QUEUED since MULTI, in the server's order; undefined outside of a transaction. */
  queued: Call[] | undefined;
}

const MAX_TARGETS = 1000;
const connections = new WeakMap<Client, Connection>();
const targets = new Map<string, Target>();

/** The state of a client, brought up to date: SELECT changes the database, a sentinel the server. */
export function connectionOf(client: Client): Connection {
  const select = client.condition?.select ?? client.options.db ?? 0;
  const { stream } = client;
  const known = connections.get(client);
  if (known === undefined) {
    const connection = { target: targetOf(client, select), select, stream, queued: undefined };
    connections.set(client, connection);
    return connection;
  }
  if (known.select !== select || known.stream !== stream) {
    known.select = select;
    known.stream = stream;
    known.target = targetOf(client, select);
  }
  return known;
}

function targetOf({ options, stream, isCluster }: Client, select: number): Target {
  let address: string | undefined;
  let port: number | undefined;
  if (options.path) {
    address = options.path;
  } else if (options.sentinels) {
    // The options name the sentinels; the server that they chose is known once connected.
    address = stream?.remoteAddress;
    port = stream?.remotePort;
  } else if (isCluster !== true) {
    address = options.host ?? "localhost";
    port = options.port ?? 6379;
  }
  const namespace = String(select);
  const key = `${address} ${port} ${namespace}`;
  const known = targets.get(key);
  if (known !== undefined) return known;
  const target: Target = { address, port, namespace, shapes: new Map() };
  if (targets.size < MAX_TARGETS) targets.set(key, target);
  return target;
}
