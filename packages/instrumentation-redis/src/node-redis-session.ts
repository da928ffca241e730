import type { Client, Queue } from "./node-redis.js";
import { type Connection, findTarget } from "./target.js";

/** What is kept of one client. */
export interface Session extends Connection {
  readonly client: Client | undefined;
  /** The database that commands sent from now on run in. */
  database: number;
  /** A command of the open transaction was told to go to another node of the cluster. */
  isRedirected: boolean;
  /** How often its cluster has looked for its nodes anew because of it. */
  rediscovered: number;
}

const byClient = new WeakMap<Client, Session>();
const byQueue = new WeakMap<Queue, Session>();

/** `client` may be a view of it with options of its own. */
export function sessionOf(client: Client): Session {
  const real = client._self ?? client;
  let session = byClient.get(real);
  if (session === undefined) {
    const database = real.options?.database ?? 0;
    session = createSession(real, database);
    byClient.set(real, session);
  }
  return session;
}

export function sessionOfQueue(queue: Queue): Session {
  let session = byQueue.get(queue);
  // Of clients that were connected before, and of releases before 4.6, it is not known where they lead.
  if (session === undefined) byQueue.set(queue, (session = createSession(undefined, 0)));
  return session;
}

export function knowQueue(queue: Queue, client: Client): void {
  byQueue.set(queue, sessionOf(client));
}

export function selectDatabase(session: Session, database: number): void {
  if (!Number.isInteger(database) || database === session.database) return;
  session.database = database;
  session.target = targetOf(session.client, database);
}

function createSession(client: Client | undefined, database: number): Session {
  return {
    client,
    target: targetOf(client, database),
    database,
    queued: undefined,
    isRedirected: false,
    rediscovered: 0,
  };
}

function targetOf(client: Client | undefined, database: number) {
  if (client === undefined) return findTarget("redis", undefined, undefined, database);
  const { path, host = "localhost", port = 6379 } = client.options?.socket ?? {};
  return path === undefined
    ? findTarget("redis", host, port, database)
    : findTarget("redis", path, undefined, database);
}
