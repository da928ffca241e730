import { type DatabaseOperation, endOperation, failOperation } from "@telltale/core";

/** A reply as the driver hands it on: a document, or since 6.6 one that is read where somebody asks. */
interface Reply {
  readonly cursor?: { readonly firstBatch?: unknown; readonly nextBatch?: unknown };
  readonly n?: unknown;
  readonly writeErrors?: unknown;
  readonly batchSize?: unknown;
  getNumber?(name: string): number | null;
  has?(name: string): boolean;
  get?(name: string, type: number): { get(index: number, type: number): Reply | null } | null;
}

// https://bsonspec.org/spec.html
const BSON_OBJECT = 3;
const BSON_ARRAY = 4;
const WRITES = new Set<string | undefined>(["insert", "update", "delete"]);

/** Ends a command with its reply. A write that the server refuses in part or whole has an answer, too. */
export function endCommand(operation: DatabaseOperation, reply: unknown): void {
  try {
    if (typeof reply === "object" && reply !== null) read(operation, reply);
  } finally {
    endOperation(operation);
  }
}

function read(operation: DatabaseOperation, reply: Reply): void {
  if (WRITES.has(operation.template.operationName)) {
    operation.rows = numberOf(reply, "n");
    const code = refusalOf(reply);
    if (code !== undefined) {
      operation.statusCode = `${code}`;
      failOperation(operation, new ServerFailure("MongoServerError", `the server refused a write: ${code}`));
    }
  } else operation.rows = rowsOf(reply);
}

function rowsOf(reply: Reply): number | undefined {
  const { cursor } = reply;
  if (typeof reply.get === "function") return typeof reply.batchSize === "number" ? reply.batchSize : undefined;
  const batch = cursor?.firstBatch ?? cursor?.nextBatch;
  return Array.isArray(batch) ? batch.length : undefined;
}

function numberOf(reply: Reply, name: "n"): number | undefined {
  if (typeof reply.getNumber === "function") return reply.getNumber(name) ?? undefined;
  return typeof reply[name] === "number" ? reply[name] : undefined;
}

function refusalOf(reply: Reply): number | undefined {
  if (typeof reply.get === "function") {
    const first = reply.has?.("writeErrors") ? reply.get("writeErrors", BSON_ARRAY)?.get(0, BSON_OBJECT) : undefined;
    return first?.getNumber?.("code") ?? undefined;
  }
  const [first] = Array.isArray(reply.writeErrors) ? (reply.writeErrors as { code?: number }[]) : [];
  return first?.code;
}

/** Ends a command with what it failed with. The server's words quote keys and values: its name for the error is all that is recorded. */
export function failCommand(operation: DatabaseOperation, error: unknown): void {
  const { name, code, codeName } = (error ?? {}) as { name?: unknown; code?: unknown; codeName?: unknown };
  if (name === "MongoServerError") {
    const word = typeof codeName === "string" && codeName !== "" ? codeName : "MongoServerError";
    failOperation(operation, new ServerFailure(word, word));
    if (typeof code === "number") operation.statusCode = `${code}`;
  } else failOperation(operation, error ?? new Error("the command failed"));
  endOperation(operation);
}

class ServerFailure extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}
