import type { CommandArguments, QueuedCommand, SendOptions } from "./node-redis.js";
import type { Session } from "./node-redis-session.js";

/** What sets a connection up is sent as a chain of this name; before 5.0 only ahead of all that waits, while the client is not ready. */
const SETUP_CHAIN = "Socket Initiator";
/** RESET, which is the app's, and the same set-up after it. */
const RESET_CHAIN = "Reset Chain";
const SETUP: ReadonlySet<string> = new Set([
  "AUTH",
  "HELLO",
  "READONLY",
  "SELECT",
  "CLIENT SETINFO",
  "CLIENT SETNAME",
  "CLIENT TRACKING",
]);

/** What it asks to find the nodes of a cluster or the servers behind sentinels; and ASKING, after a redirect. */
const DISCOVERY: ReadonlySet<string> = new Set([
  "CLUSTER NODES",
  "CLUSTER SLOTS",
  "SENTINEL GET-MASTER-ADDR-BY-NAME",
  "SENTINEL MASTER",
  "SENTINEL REPLICAS",
  "SENTINEL SENTINELS",
]);

export function isConnectionsOwn(
  { client }: Session,
  { args, chainId }: QueuedCommand,
  options: SendOptions | undefined,
): boolean {
  const [name] = args;
  if (chainId !== undefined && isSetUp(chainId.description, name)) return true;
  if (options?.asap === true && client?.isReady !== true && isIn(SETUP, args)) return true;
  switch (name) {
    case "ASKING":
      return true;
    // Sent at an interval, where the app has set one.
    case "PING":
      return args.length === 1 && client?.options?.pingInterval !== undefined;
    case "CLUSTER":
    case "SENTINEL":
      return isIn(DISCOVERY, args);
    default:
      return false;
  }
}

function isSetUp(chain: string | undefined, name: unknown): boolean {
  return chain === SETUP_CHAIN || (chain === RESET_CHAIN && name !== "RESET");
}

function isIn(names: ReadonlySet<string>, [name, subcommand]: CommandArguments): boolean {
  return names.has(String(name)) || names.has(`${String(name)} ${String(subcommand).toUpperCase()}`);
}
