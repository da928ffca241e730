import { once } from "node:events";
import { createRequire } from "node:module";
import { type AddressInfo, createServer, type Socket } from "node:net";

/**
 * No MongoDB: no package brings one. It frames messages as the protocol's public description has it
 * (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/) and answers the few commands that the tests send, with fields and types
 * that `fake-mongod.test.ts` compares with what is published of the server. Every collection holds the documents `{ n: 0 }` to `{ n: 6 }`, whatever
 * is asked of it; one that is called `boom` fails, `stepped` is no primary's, `unsure` is not replicated in time, `doze` and `sleep` answer late,
 * `gone` hangs up.
 */
export interface FakeMongod {
  readonly port: number;
  /** Commands that have reached it, by name and collection, but for those by which the driver looks after its servers. */
  readonly received: string[];
  /** Connections that are open, those that look after the server included. */
  connections(): number;
  close(): void;
}

const [OP_REPLY, OP_QUERY, OP_MSG] = [1, 2004, 2013];
/** A flag of OP_MSG: its sender wants no answer, as with a write concern of 0. */
const MORE_TO_COME = 2;
const DOCUMENTS = Array.from({ length: 7 }, (_, n) => ({ n }));
type Document = Record<string, unknown>;
let BSON: typeof import("mongodb").BSON;

export async function startFakeMongod({ isReplicaSet = false } = {}): Promise<FakeMongod> {
  // Not before: the driver must load after its instrumentation.
  ({ BSON } = createRequire(import.meta.url)("mongodb") as typeof import("mongodb"));
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let pending = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 4 && pending.length >= pending.readInt32LE(0)) {
        const message = pending.subarray(0, pending.readInt32LE(0));
        pending = pending.subarray(message.length);
        hear(message);
      }
    });

    function hear(message: Buffer): void {
      const id = message.readInt32LE(4);
      const kind = message.readInt32LE(12);
      const command = kind === OP_QUERY ? documentAt(message, message.indexOf(0, 20) + 9) : readSections(message);
      const wantsNone = kind === OP_MSG && (message.readInt32LE(16) & MORE_TO_COME) !== 0;
      const reply = (document: Document): void => {
        if (wantsNone) return;
        // A server of today has it as a double, whatever it is asked.
        const body = BSON.serialize({ ...document, ok: new BSON.Double(Number(document["ok"] ?? 1)) });
        const head =
          kind === OP_QUERY
            ? Buffer.concat([Buffer.alloc(16), Buffer.from([1, 0, 0, 0])])
            : Buffer.from([0, 0, 0, 0, 0]);
        const header = Buffer.alloc(16);
        header.writeInt32LE(16 + head.length + body.length, 0);
        header.writeInt32LE(id, 8);
        header.writeInt32LE(kind === OP_QUERY ? OP_REPLY : OP_MSG, 12);
        socket.write(Buffer.concat([header, head, body]));
      };
      const [name = ""] = Object.keys(command);
      if (/^(hello|ismaster)$/i.test(name)) {
        const answered = hello(command, name !== "hello", `127.0.0.1:${socket.localPort}`, isReplicaSet);
        // Who knows the topology already waits for news of it, and there are none.
        if (command["topologyVersion"] === undefined) return reply(answered);
        return void setTimeout(reply, Number(command["maxAwaitTimeMS"]), answered).unref();
      }
      const collection = collectionOf(command);
      received.push(`${name} ${collection}`);
      if (collection === "gone") return void socket.destroy();
      const lateMs = { doze: 60, sleep: 400 }[collection];
      if (lateMs !== undefined) return void setTimeout(() => reply(answer(name, command)), lateMs);
      reply(FAILURES[collection]?.() ?? answer(name, command));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    received,
    connections: () => sockets.size,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A body, and lists of documents beside it. */
function readSections(message: Buffer): Document {
  const command: Document = {};
  let at = 20;
  while (at < message.length) {
    const isBody = message.readUInt8(at) === 0;
    at += 1;
    if (isBody) {
      Object.assign(command, documentAt(message, at));
      at += message.readInt32LE(at);
      continue;
    }
    const end = at + message.readInt32LE(at);
    const name = message.toString("utf8", at + 4, message.indexOf(0, at + 4));
    const list: Document[] = [];
    for (at += 4 + name.length + 1; at < end; at += message.readInt32LE(at)) list.push(documentAt(message, at));
    command[name] = list;
  }
  return command;
}

function documentAt(message: Buffer, at: number): Document {
  return BSON.deserialize(message.subarray(at, at + message.readInt32LE(at)));
}

/** A server of version 8.0, with sessions: alone, or the primary of a replica set that has no other member. */
function hello(command: Document, isLegacy: boolean, me: string, isReplicaSet: boolean): Document {
  return {
    ...(command["helloOk"] === true ? { helloOk: true } : {}),
    [isLegacy ? "ismaster" : "isWritablePrimary"]: true,
    topologyVersion: topologyVersion(),
    ...(isReplicaSet ? { setName: "fake", setVersion: 1, secondary: false, hosts: [me], primary: me, me } : {}),
    maxBsonObjectSize: 16_777_216,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    localTime: new Date(),
    logicalSessionTimeoutMinutes: 30,
    connectionId: 1,
    minWireVersion: 0,
    maxWireVersion: 25,
    readOnly: false,
  };
}

let processId: object | undefined;

function topologyVersion(): Document {
  return { processId: (processId ??= new BSON.ObjectId()), counter: BSON.Long.ZERO };
}

/** What collections of these names answer instead. */
const FAILURES: Readonly<Record<string, () => Document>> = {
  boom: () => ({ ok: 0, errmsg: "unknown operator: $s3cret", code: 2, codeName: "BadValue" }),
  stepped: () => ({
    ok: 0,
    errmsg: "not primary",
    code: 10_107,
    codeName: "NotWritablePrimary",
    topologyVersion: topologyVersion(),
  }),
  unsure: () => ({
    n: 1,
    writeConcernError: { code: 64, codeName: "WriteConcernTimeout", errmsg: "waiting for s3cret timed out" },
  }),
};

function answer(name: string, command: Document): Document {
  if (name === "find" || name === "aggregate") {
    const size = Math.min(Number(command["batchSize"] ?? 101), Number(command["limit"] ?? 0) || 101);
    const isWhole = size >= DOCUMENTS.length || command["singleBatch"] === true;
    return cursor(command, "firstBatch", DOCUMENTS.slice(0, size), isWhole ? 0 : size);
  }
  if (name === "getMore") {
    const from = Number(command["getMore"]);
    const to = from + Number(command["batchSize"] ?? 101);
    return cursor(command, "nextBatch", DOCUMENTS.slice(from, to), to >= DOCUMENTS.length ? 0 : to);
  }
  if (name === "killCursors") {
    return { cursorsKilled: command["cursors"], cursorsNotFound: [], cursorsAlive: [], cursorsUnknown: [] };
  }
  if (name === "insert") {
    const documents = command["documents"] as Document[];
    const refused = documents.findIndex(isRefused);
    return refused < 0
      ? { n: documents.length }
      : { n: refused, writeErrors: [{ index: refused, code: 11_000, ...DUPLICATE, errmsg: E11000 }] };
  }
  if (name === "bulkWrite") return bulkWritten(command["ops"] as { document?: Document }[]);
  if (name === "update") return { n: 2, nModified: 2 };
  if (name === "delete") return { n: 3 };
  if (name === "findAndModify") return { lastErrorObject: { n: 1, updatedExisting: true }, value: { n: 1 } };
  if (name === "count") return { n: DOCUMENTS.length };
  if (name === "distinct") return { values: [1] };
  return {};
}

const E11000 = 'E11000 duplicate key error collection: shop.things index: _id_ dup key: { _id: "s3cret" }';
const DUPLICATE = { keyPattern: { _id: 1 }, keyValue: { _id: "s3cret" } };
const isRefused = (document: Document | undefined): boolean => document?.["_id"] === "s3cret";

/** It inserts in order, and stops at the first that is refused. */
function bulkWritten(ops: readonly { document?: Document }[]): Document {
  const refused = ops.findIndex(({ document }) => isRefused(document));
  const nInserted = refused < 0 ? ops.length : refused;
  const done: Document[] = Array.from({ length: nInserted }, (_, idx) => ({ ok: new BSON.Double(1), idx, n: 1 }));
  if (refused >= 0)
    done.push({ ok: new BSON.Double(0), idx: refused, code: 11_000, ...DUPLICATE, errmsg: E11000, n: 0 });
  return {
    cursor: { id: BSON.Long.ZERO, firstBatch: done, ns: "admin.$cmd.bulkWrite" },
    nErrors: refused < 0 ? 0 : 1,
    nInserted,
    nMatched: 0,
    nModified: 0,
    nUpserted: 0,
    nDeleted: 0,
  };
}

function collectionOf(command: Document): string {
  const [name = ""] = Object.keys(command);
  return String(command[name === "getMore" ? "collection" : name]);
}

/** The cursor's number is where it goes on. */
function cursor(command: Document, batch: string, documents: Document[], next: number): Document {
  return {
    cursor: {
      id: BSON.Long.fromNumber(next),
      ns: `${String(command["$db"])}.${collectionOf(command)}`,
      [batch]: documents,
    },
  };
}
