import { types } from "node:util";
import type { Command } from "./driver.js";

/** What a command asks for, as far as its template needs it. */
export interface Asked {
  /** The command's name: `find`. */
  readonly name: string;
  readonly collection: string | undefined;
  /** The fields that are asked for, or the stages of a pipeline; it tells shapes apart and is recorded nowhere. */
  readonly shape: string;
  /** It asks for several values at once: `{ _id: { $in: […] } }`. */
  readonly isBatch: boolean;
  /** The values that tell calls apart. */
  readonly values: unknown;
  /** Documents, updates or deletions in it. */
  readonly size: number | undefined;
}

/** Others have something else behind their name, a user's name for one. */
const OF_COLLECTIONS = new Set(
  (
    "aggregate collMod collStats count create createIndexes createSearchIndexes delete distinct drop dropIndexes dropSearchIndex find " +
    "findAndModify insert killCursors listIndexes listSearchIndexes mapReduce update updateSearchIndex validate"
  ).split(" "),
);
const MAX_FIELDS = 10;

export function readCommand(given: Command): Asked {
  const command = objectOf(given);
  const name = nameOf(command);
  const { parts, values } = partsOf(name, command);
  const fields: string[] = [];
  let isBatch = false;
  for (const part of parts) {
    for (const field in part) {
      if (fields.length >= MAX_FIELDS) break;
      fields.push(field);
      isBatch ||= asksForSeveral(valueOf(part, field));
    }
  }
  const list = listOf(name, command);
  return {
    name,
    collection: collectionOf(name, command),
    shape: fields.join(","),
    isBatch,
    values,
    size: list !== undefined && list.length > 1 ? list.length : undefined,
  };
}

function nameOf(command: Command): string {
  for (const name in command) return /^[a-z]{1,40}$/i.test(name) ? name : "_OTHER";
  return "_OTHER";
}

function collectionOf(name: string, command: Command): string | undefined {
  const collection = name === "getMore" ? command["collection"] : OF_COLLECTIONS.has(name) ? command[name] : undefined;
  return typeof collection === "string" ? collection : undefined;
}

/** Documents whose fields make the shape, and the values of the call. */
function partsOf(name: string, command: Command): { readonly parts: readonly Command[]; readonly values: unknown } {
  if (name === "aggregate") {
    const { pipeline } = command;
    const stages = arrayOf(pipeline)?.slice(0, MAX_FIELDS).map(objectOf) ?? [];
    return { parts: stages.flatMap((stage) => [stage, objectOf(valueOf(stage, "$match"))]), values: pipeline };
  }
  if (name === "find") {
    const { filter, skip } = command;
    return { parts: [objectOf(filter)], values: [filter, skip] };
  }
  const list = listOf(name, command);
  if (name === "update" || name === "delete") {
    return { parts: [objectOf(objectOf(list?.[0])["q"])], values: list };
  }
  const { query } = command;
  return { parts: [objectOf(query)], values: query ?? list };
}

const LISTS: Readonly<Record<string, string>> = {
  bulkWrite: "ops",
  insert: "documents",
  update: "updates",
  delete: "deletes",
};

/** What is written; newer releases have it in an object that is ready to be sent. */
function listOf(name: string, command: Command): readonly unknown[] | undefined {
  const field = LISTS[name];
  const given = field === undefined ? undefined : command[field];
  return arrayOf(given) ?? arrayOf(objectOf(given)["documents"]);
}

/** Of the app's documents only that is read which runs none of its code, as getters and proxies do; the command around them is the driver's. */
function valueOf(document: Command, field: string): unknown {
  return Object.getOwnPropertyDescriptor(document, field)?.value;
}

function objectOf(value: unknown): Command {
  return typeof value === "object" && value !== null && !types.isProxy(value) ? (value as Command) : {};
}

function arrayOf(value: unknown): readonly unknown[] | undefined {
  return !types.isProxy(value) && Array.isArray(value) ? value : undefined;
}

function asksForSeveral(value: unknown): boolean {
  const list = arrayOf(valueOf(objectOf(value), "$in"));
  return list !== undefined && list.length > 1;
}
