import { createLabelSet, KeyTemplates, limitOf, OVERFLOW_LABEL } from "@telltale/core";
import { type Argument, type CommandFacts, factsOf, isBlocking, isKnown } from "./commands.js";
import type { Target } from "./target.js";

/** One command on one target. */
export interface CommandShape {
  readonly facts: CommandFacts;
  readonly templates: KeyTemplates;
  readonly blocking: CommandShape | undefined;
}

// All of these are far above what a program uses; they bound one that makes up command names or key prefixes.
const MAX_SPELLINGS = 1000;
const unkept = limitOf("redis.command_spellings");
const foreignNames = createLabelSet("redis.command", 200);
const families = createLabelSet("redis.key_family", 200);

export function shapeOf(target: Target, name: string, args: readonly Argument[]): CommandShape {
  const { shapes } = target;
  let shape = shapes.get(name);
  if (shape === undefined) {
    shape = createShape(target, factsOf(boundedName(name)));
    if (shapes.size < MAX_SPELLINGS) shapes.set(name, shape);
    else unkept.total += 1;
  }
  return shape.blocking !== undefined && isBlocking(args) ? shape.blocking : shape;
}

function boundedName(name: string): string {
  if (isKnown(name)) return name;
  return /^[a-z][a-z0-9._-]{0,39}$/i.test(name) ? foreignNames.bound(name.toLowerCase()) : OVERFLOW_LABEL;
}

function createShape(target: Target, facts: CommandFacts): CommandShape {
  const { name, effect } = facts;
  const command = {
    system: "redis",
    namespace: target.namespace,
    operationName: name,
    effect,
    batch: name === "MGET" || name === "HMGET" || name === "JSON.MGET",
    serverAddress: target.address,
    serverPort: target.port,
    library: target.library,
  };
  return {
    facts,
    templates: new KeyTemplates(command, families),
    blocking: facts.blocking && createShape(target, facts.blocking),
  };
}
