import type { CommandArguments, QueuedCommand, SendOptions } from "./node-redis.js";
import type { Session } from "./node-redis-session.js";

/** What sets a connection up is sent as a chain of this name; before 5.0 only ahead of all that waits, while the client is not ready. */
const SETUP_CHAIN = "Socket Initiator";
/** RESET, which is the app's, and the same set-up after it. */
const RESET_CHAIN = "Reset Chain";
const SETUP = new Set(["AUTH", "HELLO", "READONLY", "SELECT", "CLIENT SETINFO", "CLIENT SETNAME", "CLIENT TRACKING"]);

/** What it asks to find the nodes of a cluster or the servers behind sentinels; and ASKING, after a redirect. */
const DISCOVERY = new Set([
  "ASKING",
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
  const [name, subcommand] = args;
  const text = String(name);
  if (chainId !== undefined && isSetUp(chainId.description, text)) return true;
  if (text === "PING") return args.length === 1 && client?.options?.pingInterval !== undefined;
  if (options?.asap === true && client?.isReady !== true && isIn(SETUP, args, text)) return true;
  return (text === "ASKING" || subcommand !== undefined) && isIn(DISCOVERY, args, text);
}

function isSetUp(chain: string | undefined, name: string): boolean {
  return chain === SETUP_CHAIN || (chain === RESET_CHAIN && name !== "RESET");
}

function isIn(names: ReadonlySet<string>, [, subcommand]: CommandArguments, name: string): boolean {
  return names.has(name) || (subcommand !== undefined && names.has(`${name} ${String(subcommand).toUpperCase()}`));
}
