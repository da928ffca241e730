import type { Client, Command } from "./ioredis.js";

/**
 * What ioredis sends of its own accord while it sets up a connection, between connected and ready: authentication, protocol, database,
 * names, and the ready check. They run in the context of whoever connected, and are nobody's call. An app can send these in that
 * moment as well; nothing else is taken for the connection's own.
 */
const SETUP = new Map<string, (args: Command["args"]) => boolean>([
  ["auth", () => true],
  ["hello", () => true],
  ["readonly", () => true],
  ["select", () => true],
  ["info", (args) => args.length === 0],
  ["client", ([subcommand]) => /^set(name|info)$/i.test(String(subcommand))],
  ["cluster", ([subcommand]) => subcommand === "INFO"],
]);

/** What it asks to find the servers of a cluster or behind sentinels, with arguments as it spells them; and ASKING, after a redirect. */
const DISCOVERY = new Map<string, (args: Command["args"], client: Client) => boolean>([
  ["asking", () => true],
  ["cluster", (_, { options }) => options.connectionName?.startsWith("ioredis-cluster(refresher)") === true],
  ["sentinel", ([subcommand]) => SENTINEL.has(String(subcommand))],
  // `failoverDetector` listens to sentinels.
  ["subscribe", ([channel]) => channel === "+switch-master"],
]);
const SENTINEL = new Set(["get-master-addr-by-name", "sentinels", "slaves"]);

/** What it sends once ready, after a reconnect: the state of the connection that was lost. */
const RESTORE = new Set(["readonly", "select", "subscribe", "psubscribe", "ssubscribe"]);

const restoring = new WeakSet<Client>();

/** To be called as a connection becomes ready: ioredis restores its state before anybody else can use it. */
export function becameReady(client: Client): void {
  restoring.add(client);
  process.nextTick(() => restoring.delete(client));
}

export function isConnectionsOwn(client: Client, { name, args }: Command): boolean {
  if (client.status === "connect" && SETUP.get(name)?.(args) === true) return true;
  if (RESTORE.has(name) && restoring.has(client)) return true;
  return DISCOVERY.get(name)?.(args, client) ?? false;
}
