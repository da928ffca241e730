import { createLabelSet, type DatabaseTemplate, limitOf, OVERFLOW_LABEL } from "@telltale/core";
import { type CommandFacts, commandFacts } from "./memcached-commands.js";

/** A server, as commands are sent to it; several where one call goes to several. */
export interface Target {
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** By the command's name, and by whether it asks for several keys. */
  readonly shapes: Map<string, CommandShape>;
}

/** One command on one server, with its templates: one for each family of keys. */
export interface CommandShape {
  readonly facts: CommandFacts;
  readonly keyless: DatabaseTemplate;
  /** By cache name, of keys that begin with it: their pattern is shown. */
  readonly byPrefix: Map<string, DatabaseTemplate>;
  /** By cache name, of all others: the user's pattern named them. */
  readonly byName: Map<string, DatabaseTemplate>;
}

const MAX_TARGETS = 1000;
const unshared = limitOf("memcached.targets");
const families = createLabelSet("memcached.key_family", 200);
const targets = new Map<string, Target>();

/** The target for a server as apps write it: `cache.local:11211`, `cache.local`, `/run/memcached.sock`; undefined for several. */
export function targetOf(server: string | undefined): Target {
  const key = server ?? "";
  const known = targets.get(key);
  if (known !== undefined) return known;
  const target = { ...placeOf(server), shapes: new Map<string, CommandShape>() };
  if (targets.size < MAX_TARGETS) targets.set(key, target);
  else unshared.total += 1;
  return target;
}

function placeOf(server: string | undefined): Pick<Target, "address" | "port"> {
  if (server === undefined || server.startsWith("/")) return { address: server, port: undefined };
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(server) ?? [];
  return { address: host?.replace(/^\[(.*)\]$/, "$1"), port: port === undefined ? 11_211 : Number(port) };
}

const MULTI = " keys";

export function shapeOf(target: Target, command: string, isMulti: boolean): CommandShape {
  const name = isMulti ? command + MULTI : command;
  const known = target.shapes.get(name);
  if (known !== undefined) return known;
  const facts = commandFacts(command);
  const keyless = createTemplate(target, facts, isMulti, facts.name, facts.name);
  const shape: CommandShape = { facts, keyless, byPrefix: new Map(), byName: new Map() };
  target.shapes.set(name, shape);
  return shape;
}

/** The template of a call whose first key belongs to a cache. */
export function templateOf(target: Target, shape: CommandShape, key: string, cache: string): DatabaseTemplate {
  const isPrefix = key.charCodeAt(cache.length) === COLON && key.startsWith(cache);
  const known = isPrefix ? shape.byPrefix : shape.byName;
  const template = known.get(cache);
  if (template !== undefined) return template;
  const family = families.bound(cache);
  if (family !== cache) return templateOf(target, shape, "", OVERFLOW_LABEL);
  const { facts, keyless } = shape;
  const pattern = isPrefix ? `${cache}:?` : "?";
  const created = createTemplate(
    target,
    facts,
    keyless.batch === true,
    `${facts.name} ${pattern}`,
    `${facts.name} ${cache}`,
  );
  known.set(cache, created);
  return created;
}

const COLON = 58;

function createTemplate(
  { address, port }: Target,
  { name, effect }: CommandFacts,
  batch: boolean,
  queryText: string,
  fingerprint: string,
): DatabaseTemplate {
  return {
    system: "memcached",
    namespace: undefined,
    operationName: name,
    collection: undefined,
    querySummary: name,
    queryText,
    fingerprint,
    effect,
    batch,
    serverAddress: address,
    serverPort: port,
    poolName: undefined,
    slots: [],
  };
}
