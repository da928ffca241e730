import { type DatabaseOperation, endOperation, failOperation } from "@telltale/core";

/** A reply as the driver hands it on: a document or, since 6.6, one that is read where somebody asks. */
type Reply = object & {
  get?(name: string | number, type: number): unknown;
  getNumber?(name: string): number | null;
  size?(): number;
};

// https://bsonspec.org/spec.html
const BSON_STRING = 2;
const BSON_OBJECT = 3;
const BSON_ARRAY = 4;
const WRITES = new Set<string | undefined>(["insert", "update", "delete"]);
/** Of a `bulkWrite`, which is for several collections. */
const WRITTEN = ["nInserted", "nMatched", "nUpserted", "nDeleted"];
/** Results of single writes that are looked through for one that was refused; the driver asks for nothing but those, most often. */
const MAX_RESULTS = 100;

/** Ends a command with its reply. A write that the server refuses in part or whole, or does not replicate in time, has an answer, too. */
export function endCommand(operation: DatabaseOperation, reply: unknown): void {
  try {
    if (typeof reply === "object" && reply !== null) read(operation, reply);
  } finally {
    endOperation(operation);
  }
}

function read(operation: DatabaseOperation, reply: Reply): void {
  const name = operation.template.operationName;
  const isBulk = name === "bulkWrite";
  if (isBulk) operation.rows = WRITTEN.reduce((sum, field) => sum + (numberIn(reply, field) ?? 0), 0);
  else operation.rows = WRITES.has(name) ? numberIn(reply, "n") : rowsOf(reply);
  const refusal = isBulk ? refusedInBulk(reply) : fieldOf(fieldOf(reply, "writeErrors", BSON_ARRAY), 0, BSON_OBJECT);
  const failure = refusal ?? fieldOf(reply, "writeConcernError", BSON_OBJECT);
  if (failure !== undefined) fail(operation, fieldOf(failure, "codeName", BSON_STRING), numberIn(failure, "code"));
}

function rowsOf(reply: Reply): number | undefined {
  const cursor = fieldOf(reply, "cursor", BSON_OBJECT);
  const batch = fieldOf(cursor, "firstBatch", BSON_ARRAY) ?? fieldOf(cursor, "nextBatch", BSON_ARRAY);
  return Array.isArray(batch) ? batch.length : (batch as Reply | undefined)?.size?.();
}

function refusedInBulk(reply: Reply): unknown {
  if ((numberIn(reply, "nErrors") ?? 0) === 0) return undefined;
  const results = fieldOf(fieldOf(reply, "cursor", BSON_OBJECT), "firstBatch", BSON_ARRAY);
  for (let n = 0; n < MAX_RESULTS; n++) {
    const result = fieldOf(results, n, BSON_OBJECT);
    if (numberIn(result, "ok") === 0) return result;
  }
  return {};
}

function fieldOf(document: unknown, name: string | number, type: number): unknown {
  if (typeof document !== "object" || document === null) return undefined;
  const { get } = document as Reply;
  if (typeof get === "function") return get.call(document, name, type) ?? undefined;
  return (document as Readonly<Record<string, unknown>>)[name];
}

/** The app may have asked for numbers as the driver's own classes. */
function numberIn(document: unknown, name: string): number | undefined {
  const { getNumber } = (document ?? {}) as Reply;
  const value = typeof getNumber === "function" ? getNumber.call(document, name) : fieldOf(document, name, 0);
  return value === undefined || value === null ? undefined : Number(value);
}

/** Ends a command with what it failed with. */
export function failCommand(operation: DatabaseOperation, error: unknown): void {
  try {
    const { name, code, codeName } = (error ?? {}) as { name?: unknown; code?: unknown; codeName?: unknown };
    if (name === "MongoServerError" || name === "MongoWriteConcernError") fail(operation, codeName, code);
    // What is no error of the driver's is the app's own, or speaks of the fields that cannot be sent.
    else if (typeof name === "string" && !name.startsWith("Mongo")) failOperation(operation, new Failure(name));
    else failOperation(operation, error ?? new Error("the command failed"));
  } catch {
    // The app may abort a command with what cannot even be read.
    failOperation(operation, undefined);
  }
  endOperation(operation);
}

function fail(operation: DatabaseOperation, codeName: unknown, code: unknown): void {
  if (typeof code === "number") operation.statusCode = `${code}`;
  const isNamed = typeof codeName === "string" && codeName !== "";
  failOperation(operation, new Failure(isNamed ? codeName : "MongoServerError"));
}

/** Words quote keys and values: the name of an error is all that is recorded. */
class Failure extends Error {
  override readonly name: string;

  constructor(name: string) {
    super(name);
    this.name = name;
  }
}
