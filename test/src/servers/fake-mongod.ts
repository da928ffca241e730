import { once } from "node:events";
import { createRequire } from "node:module";
import { type AddressInfo, createServer, type Socket } from "node:net";

/**
 * No MongoDB: no package brings one. It frames messages as the protocol's public description has it
 * (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/) and answers the few commands that the tests send: every collection holds
 * the documents `{ n: 0 }` to `{ n: 6 }`, whatever is asked of it; one that is called `boom` fails, `doze` and `sleep` answer late, `gone` hangs up.
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
const DOCUMENTS = Array.from({ length: 7 }, (_, n) => ({ n }));
type Document = Record<string, unknown>;
let BSON: typeof import("mongodb").BSON;

export async function startFakeMongod(): Promise<FakeMongod> {
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
      const reply = (document: Document): void => {
        const body = BSON.serialize(document);
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
      if (/^(hello|ismaster)$/i.test(name)) return reply(hello());
      const collection = String(name === "getMore" ? command["collection"] : command[name]);
      received.push(`${name} ${collection}`);
      if (collection === "gone") return void socket.destroy();
      const lateMs = { doze: 60, sleep: 400 }[collection];
      if (lateMs !== undefined) return void setTimeout(() => reply(answer(name, command)), lateMs);
      reply(collection === "boom" ? failure() : answer(name, command));
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

/** A single server of version 7.0, with sessions. */
function hello(): Document {
  const limits = { maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 };
  return { ok: 1, isWritablePrimary: true, ismaster: true, ...limits, minWireVersion: 0, maxWireVersion: 21 };
}

function failure(): Document {
  return { ok: 0, code: 2, codeName: "BadValue", errmsg: "unknown operator: $s3cret" };
}

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
  if (name === "insert") {
    const documents = command["documents"] as Document[];
    const refused = documents.findIndex(({ _id: id }) => id === "s3cret");
    if (refused < 0) return { ok: 1, n: documents.length };
    const errmsg = 'E11000 duplicate key error collection: shop.things index: _id_ dup key: { _id: "s3cret" }';
    return { ok: 1, n: refused, writeErrors: [{ index: refused, code: 11_000, errmsg }] };
  }
  if (name === "update") return { ok: 1, n: 2, nModified: 2 };
  if (name === "delete") return { ok: 1, n: 3 };
  if (name === "findAndModify") return { ok: 1, value: { n: 1 }, lastErrorObject: { n: 1, updatedExisting: true } };
  return { ok: 1, n: 7, values: [1] };
}

/** The cursor's number is where it goes on. */
function cursor(command: Document, batch: string, documents: Document[], next: number): Document {
  return {
    ok: 1,
    cursor: { id: BSON.Long.fromNumber(next), ns: `${String(command["$db"])}.things`, [batch]: documents },
  };
}
