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

export function readCommand(command: Command): Asked {
  const name = nameOf(command);
  const { parts, values } = partsOf(name, command);
  const fields: string[] = [];
  let isBatch = false;
  for (const part of parts) {
    for (const field in part) {
      if (fields.length >= MAX_FIELDS) break;
      fields.push(field);
      isBatch ||= asksForSeveral(part[field]);
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
    const stages = Array.isArray(pipeline) ? (pipeline as Command[]).slice(0, MAX_FIELDS) : [];
    return { parts: stages.flatMap((stage) => [stage, objectOf(stage["$match"])]), values: pipeline };
  }
  if (name === "find") return { parts: [objectOf(command["filter"])], values: [command["filter"], command["skip"]] };
  if (name === "update" || name === "delete") {
    const first = listOf(name, command)?.[0] as Command | undefined;
    return { parts: [objectOf(first?.["q"])], values: listOf(name, command) };
  }
  return { parts: [objectOf(command["query"])], values: command["query"] ?? listOf(name, command) };
}

const LISTS: Readonly<Record<string, string>> = { insert: "documents", update: "updates", delete: "deletes" };

/** What is written; newer releases have it in an object that is ready to be sent. */
function listOf(name: string, command: Command): readonly unknown[] | undefined {
  const field = LISTS[name];
  const given = field === undefined ? undefined : command[field];
  const list = Array.isArray(given) ? given : objectOf(given)["documents"];
  return Array.isArray(list) ? list : undefined;
}

function objectOf(value: unknown): Command {
  return typeof value === "object" && value !== null ? (value as Command) : {};
}

function asksForSeveral(value: unknown): boolean {
  const list = objectOf(value)["$in"];
  return Array.isArray(list) && list.length > 1;
}
