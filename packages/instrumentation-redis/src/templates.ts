import { codeAt, createLabelSet, type DatabaseTemplate, OVERFLOW_LABEL } from "@telltale/core";
import { type Argument, type CommandFacts, factsOf, isBlocking, isKnown } from "./commands.js";
import type { Target } from "./target.js";

/** One command on one target, with its templates: one for each family of keys, so that reads of one family can be told apart. */
export interface CommandShape {
  readonly facts: CommandFacts;
  readonly keyless: DatabaseTemplate;
  /** By cache name, of keys that begin with it: their pattern is shown. */
  readonly byPrefix: Map<string, DatabaseTemplate>;
  /** By cache name, of all others: the user's pattern named them. */
  readonly byName: Map<string, DatabaseTemplate>;
  readonly blocking: CommandShape | undefined;
}

// All of these are far above what a program uses; they bound one that makes up command names or key prefixes.
const MAX_SPELLINGS = 1000;
const foreignNames = createLabelSet("redis.command", 200);
const families = createLabelSet("redis.key_family", 200);

export function shapeOf(target: Target, name: string, args: readonly Argument[]): CommandShape {
  const { shapes } = target;
  let shape = shapes.get(name);
  if (shape === undefined) {
    shape = createShape(target, factsOf(boundedName(name)));
    if (shapes.size < MAX_SPELLINGS) shapes.set(name, shape);
  }
  return shape.blocking !== undefined && isBlocking(args) ? shape.blocking : shape;
}

function boundedName(name: string): string {
  if (isKnown(name)) return name;
  return /^[a-z][a-z0-9._-]{0,39}$/i.test(name) ? foreignNames.bound(name.toLowerCase()) : OVERFLOW_LABEL;
}

function createShape(target: Target, facts: CommandFacts): CommandShape {
  return {
    facts,
    keyless: createTemplate(target, facts, facts.name, facts.name),
    byPrefix: new Map(),
    byName: new Map(),
    blocking: facts.blocking && createShape(target, facts.blocking),
  };
}

/** The template of a call whose first key belongs to a cache. */
export function templateOf(target: Target, shape: CommandShape, key: string, cache: string): DatabaseTemplate {
  const isPrefix = codeAt("" + key, ("" + cache).length) === COLON && key.startsWith(cache);
  const known = isPrefix ? shape.byPrefix : shape.byName;
  const template = known.get(cache);
  if (template !== undefined) return template;
  const family = families.bound(cache);
  if (family !== cache) return templateOf(target, shape, "", OVERFLOW_LABEL);
  const { name } = shape.facts;
  const created = createTemplate(target, shape.facts, `${name} ${isPrefix ? `${cache}:?` : "?"}`, `${name} ${cache}`);
  known.set(cache, created);
  return created;
}

const COLON = 58;

function createTemplate(
  { address, port, namespace }: Target,
  { name, effect }: CommandFacts,
  queryText: string,
  fingerprint: string,
): DatabaseTemplate {
  return {
    system: "redis",
    namespace,
    operationName: name,
    collection: undefined,
    querySummary: name,
    queryText,
    fingerprint,
    effect,
    batch: name === "MGET" || name === "HMGET" || name === "JSON.MGET",
    serverAddress: address,
    serverPort: port,
    poolName: undefined,
    slots: [],
  };
}
