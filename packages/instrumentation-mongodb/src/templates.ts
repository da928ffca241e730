import { createHash } from "node:crypto";
import { type DatabaseTemplate, limitOf } from "@telltale/core";
import type { Asked } from "./command.js";

const MAX_TEMPLATES = 5_000;
const forgotten = limitOf("db.client.templates");
const templates = new Map<string, DatabaseTemplate>();

const READS = new Set(["aggregate", "count", "distinct", "find"]);

const WRITES = new Set(
  "bulkWrite collMod create createIndexes delete drop dropDatabase dropIndexes findAndModify insert mapReduce renameCollection update".split(
    " ",
  ),
);

/** The template of all commands of one shape to one database of one server. */
export function templateOf(address: string, database: string, poolName: string, asked: Asked): DatabaseTemplate {
  const { name, collection, shape, isBatch } = asked;
  const key = `${poolName}\n${address}\n${database}\n${name}\n${collection}\n${isBatch}\n${shape}`;
  const known = templates.get(key);
  if (known !== undefined) return known;
  if (templates.size >= MAX_TEMPLATES) {
    forgotten.total += templates.size;
    templates.clear();
  }
  const colon = address.lastIndexOf(":");
  const port = Number(address.slice(colon + 1));
  const hasPort = colon > 0 && Number.isInteger(port);
  const template: DatabaseTemplate = {
    system: "mongodb",
    namespace: database,
    operationName: name,
    collection,
    querySummary: collection === undefined ? name : `${name} ${collection}`,
    queryText: undefined,
    fingerprint: createHash("sha256")
      .update(`${database}\n${name}\n${collection}\n${isBatch}\n${shape}`)
      .digest("hex")
      .slice(0, 16),
    // A getMore reads on where another command has begun, and lists of collections are of the database's making: neither is an N+1.
    effect: READS.has(name) ? "read" : WRITES.has(name) ? "write" : "control",
    batch: isBatch,
    serverAddress: hasPort ? address.slice(0, colon).replace(/^\[(.*)\]$/, "$1") : address,
    serverPort: hasPort ? port : undefined,
    poolName,
    library: "mongodb",
    slots: [],
  };
  templates.set(key, template);
  return template;
}
