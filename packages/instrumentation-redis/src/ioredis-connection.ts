import type { Client } from "./ioredis.js";
import { type Connection, findTarget, type Target } from "./target.js";

/** What is kept of one client: what its target was found from. */
interface ClientConnection extends Connection {
  select: number;
  stream: unknown;
}

const connections = new WeakMap<Client, ClientConnection>();

/** The state of a client, brought up to date: SELECT changes the database, a sentinel the server. */
export function connectionOf(client: Client): Connection {
  const select = client.condition?.select ?? client.options.db ?? 0;
  const stream = connectedStream(client);
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

/** The options name the sentinels; the server that they chose is known once connected. */
function connectedStream({ options, stream }: Client): Client["stream"] {
  return options.sentinels && stream?.remotePort !== undefined ? stream : undefined;
}

function targetOf(client: Client, select: number): Target {
  const { options, isCluster } = client;
  if (options.path) return findTarget("ioredis", options.path, undefined, select);
  if (options.sentinels) {
    const stream = connectedStream(client);
    return findTarget("ioredis", stream?.remoteAddress, stream?.remotePort, select);
  }
  if (isCluster === true) return findTarget("ioredis", undefined, undefined, select);
  return findTarget("ioredis", options.host ?? "localhost", options.port ?? 6379, select);
}
