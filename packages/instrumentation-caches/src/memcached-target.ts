import { createLabelSet, KeyTemplates, limitOf } from "@telltale/core";
import { type CommandFacts, commandFacts } from "./memcached-commands.js";

export type Library = "memcached" | "memjs";

/** A server, as commands are sent to it; several where one call goes to several. */
export interface Target {
  readonly library: Library;
  readonly address: string | undefined;
  readonly port: number | undefined;
  /** By the command's name, and by whether it asks for several keys. */
  readonly shapes: Map<string, CommandShape>;
}

/** One command on one server. */
export interface CommandShape {
  readonly facts: CommandFacts;
  readonly templates: KeyTemplates;
}

const MAX_TARGETS = 1000;
const unshared = limitOf("memcached.targets");
const families = createLabelSet("memcached.key_family", 200);
const targets = { memcached: new Map<string, Target>(), memjs: new Map<string, Target>() };

/** The target for a server as apps write it: `cache.local:11211`, `cache.local`, `/run/memcached.sock`; undefined for several. */
export function targetOf(library: Library, server: string | undefined): Target {
  const key = server ?? "";
  const known = targets[library].get(key);
  if (known !== undefined) return known;
  const target = { library, ...placeOf(server), shapes: new Map<string, CommandShape>() };
  if (targets[library].size < MAX_TARGETS) targets[library].set(key, target);
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
  const { library, address: serverAddress, port: serverPort } = target;
  const { name: operationName, effect } = facts;
  const common = {
    system: "memcached",
    namespace: undefined,
    operationName,
    effect,
    serverAddress,
    serverPort,
    library,
  };
  const shape = { facts, templates: new KeyTemplates({ ...common, batch: isMulti }, families) };
  target.shapes.set(name, shape);
  return shape;
}
