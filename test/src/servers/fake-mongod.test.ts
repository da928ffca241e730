import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { BSON } from "mongodb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type FakeMongod, startFakeMongod } from "./fake-mongod.js";

// No exchange with a server could be recorded. What a server answers is published, by its own definitions of its replies and by the
// specifications for drivers: names of fields and their types are compared with that, not values.
const SERVER = "https://github.com/mongodb/mongo/blob/master/src/mongo";
const SPECIFICATIONS = "https://github.com/mongodb/specifications/blob/master/source";
const MANUAL = "https://www.mongodb.com/docs/manual/reference/command";

type Shape = Readonly<Record<string, string>>;

/** Of all replies; a server has the figure as a double: `${SERVER}/rpc/reply_builder_interface.cpp`. */
const OK = { ok: "Double" };
const FAILED = { ...OK, errmsg: "string", code: "Int32", codeName: "string" };
const VERSION = {
  topologyVersion: "object",
  "topologyVersion.processId": "ObjectId",
  "topologyVersion.counter": "Long",
};
const HELLO = {
  ...OK,
  ...VERSION,
  maxBsonObjectSize: "Int32",
  maxMessageSizeBytes: "Int32",
  maxWriteBatchSize: "Int32",
  localTime: "Date",
  logicalSessionTimeoutMinutes: "Int32",
  connectionId: "Int32",
  minWireVersion: "Int32",
  maxWireVersion: "Int32",
  readOnly: "boolean",
};
const MEMBER = {
  setName: "string",
  setVersion: "Int32",
  secondary: "boolean",
  hosts: "array",
  primary: "string",
  me: "string",
};
const cursorWith = (batch: string): Shape => ({
  ...OK,
  cursor: "object",
  "cursor.id": "Long",
  "cursor.ns": "string",
  [`cursor.${batch}`]: "array",
});
const refusedIn = (at: string): Shape => ({
  [`${at}.code`]: "Int32",
  [`${at}.errmsg`]: "string",
  [`${at}.keyPattern`]: "object",
  [`${at}.keyPattern._id`]: "Int32",
  [`${at}.keyValue`]: "object",
  [`${at}.keyValue._id`]: "string",
});
const COUNTED = Object.fromEntries(
  ["nErrors", "nInserted", "nMatched", "nModified", "nUpserted", "nDeleted"].map((name) => [name, "Int32"]),
);
const REFUSED = [{ _id: "s3cret" }];

const replies: readonly (readonly [command: object, shape: Shape, source: string])[] = [
  // Not both `ismaster` and `isWritablePrimary`; `helloOk` for who asks.
  [{ hello: 1 }, { ...HELLO, isWritablePrimary: "boolean" }, `${SERVER}/db/repl/hello.idl`],
  [
    { ismaster: 1, helloOk: true },
    { ...HELLO, ismaster: "boolean", helloOk: "boolean" },
    `${SPECIFICATIONS}/mongodb-handshake/handshake.md`,
  ],
  [{ find: "things" }, cursorWith("firstBatch"), `${SERVER}/db/query/client_cursor/cursor_response.idl`],
  [{ aggregate: "things", pipeline: [], cursor: {} }, cursorWith("firstBatch"), `${MANUAL}/aggregate/`],
  [
    { getMore: BSON.Long.fromNumber(3), collection: "things" },
    cursorWith("nextBatch"),
    `${SPECIFICATIONS}/find_getmore_killcursors_commands/find_getmore_killcursors_commands.md`,
  ],
  [
    { killCursors: "things", cursors: [BSON.Long.fromNumber(3)] },
    { ...OK, cursorsKilled: "array", cursorsNotFound: "array", cursorsAlive: "array", cursorsUnknown: "array" },
    `${MANUAL}/killCursors/`,
  ],
  [{ insert: "things", documents: [{}] }, { ...OK, n: "Int32" }, `${SERVER}/db/query/write_ops/write_ops.idl`],
  [
    { insert: "things", documents: REFUSED },
    { ...OK, n: "Int32", writeErrors: "array", "writeErrors.0.index": "Int32", ...refusedIn("writeErrors.0") },
    `${SERVER}/db/query/write_ops/write_ops.cpp and ${SERVER}/db/storage/duplicate_key_error_info.cpp`,
  ],
  [
    { update: "things", updates: [{ q: {}, u: {} }] },
    { ...OK, n: "Int32", nModified: "Int32" },
    `${SERVER}/db/query/write_ops/write_ops.idl`,
  ],
  [
    { delete: "things", deletes: [{ q: {}, limit: 0 }] },
    { ...OK, n: "Int32" },
    `${SERVER}/db/query/write_ops/write_ops.idl`,
  ],
  [
    { insert: "unsure", documents: [{}] },
    {
      ...OK,
      n: "Int32",
      writeConcernError: "object",
      "writeConcernError.code": "Int32",
      "writeConcernError.codeName": "string",
      "writeConcernError.errmsg": "string",
    },
    `${SPECIFICATIONS}/read-write-concern/read-write-concern.md`,
  ],
  [
    { bulkWrite: 1, ops: [{ insert: 0, document: REFUSED[0] }], nsInfo: [{ ns: "shop.things" }] },
    {
      ...cursorWith("firstBatch"),
      ...COUNTED,
      "cursor.firstBatch.0.ok": "Double",
      "cursor.firstBatch.0.idx": "Int32",
      "cursor.firstBatch.0.n": "Int32",
      ...refusedIn("cursor.firstBatch.0"),
    },
    `${SPECIFICATIONS}/crud/bulk-write.md`,
  ],
  [
    { findAndModify: "things", query: {}, update: {} },
    {
      ...OK,
      lastErrorObject: "object",
      "lastErrorObject.n": "Int32",
      "lastErrorObject.updatedExisting": "boolean",
      value: "object",
      "value.n": "Int32",
    },
    `${MANUAL}/findAndModify/`,
  ],
  [{ count: "things" }, { ...OK, n: "Int32" }, `${MANUAL}/count/`],
  [{ distinct: "things", key: "n" }, { ...OK, values: "array" }, `${MANUAL}/distinct/`],
  [{ ping: 1 }, OK, `${MANUAL}/ping/`],
  [{ find: "boom" }, FAILED, `${SERVER}/rpc/reply_builder_interface.cpp`],
  [
    { find: "stepped" },
    { ...FAILED, ...VERSION },
    `${SPECIFICATIONS}/server-discovery-and-monitoring/server-discovery-and-monitoring.md`,
  ],
];

let server: FakeMongod;
let socket: Socket;
beforeAll(async () => {
  server = await startFakeMongod();
  socket = connect(server.port, "127.0.0.1");
});
afterAll(() => {
  socket.destroy();
  server.close();
});

test.each(replies.map(([command, shape, source]) => [JSON.stringify(command), source, command, shape] as const))(
  "%s is answered as %s has it",
  async (_, __, command, shape) => {
    expect(shapeOf(await ask(socket, command))).toEqual(shape);
  },
);

test("a member of a replica set says so", async () => {
  const member = await startFakeMongod({ isReplicaSet: true });
  const connected = connect(member.port, "127.0.0.1");
  // `${SPECIFICATIONS}/server-discovery-and-monitoring/server-discovery-and-monitoring.md`
  expect(shapeOf(await ask(connected, { hello: 1 }))).toEqual({ ...HELLO, ...MEMBER, isWritablePrimary: "boolean" });
  connected.destroy();
  member.close();
});

/** As OP_MSG: `https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/`. */
async function ask(to: Socket, command: object): Promise<object> {
  const body = BSON.serialize({ ...command, $db: "shop" });
  const head = Buffer.alloc(21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(2013, 12);
  to.write(Buffer.concat([head, body]));
  const [reply] = (await once(to, "data")) as [Buffer];
  return BSON.deserialize(reply.subarray(21), { promoteValues: false, promoteLongs: false });
}

/** Types by path; of a list only what is told of its last element when that is an error. */
function shapeOf(value: object, path = ""): Record<string, string> {
  const shape: Record<string, string> = {};
  for (const [name, field] of Object.entries(value) as [string, object | string | boolean][]) {
    const at = `${path}${name}`;
    const type = typeof field === "object" ? field.constructor.name : typeof field;
    if (Array.isArray(field)) Object.assign(shape, { [at]: "array" }, isRefusal(field) && shapeOf(field, `${at}.`));
    else if (type === "Object") Object.assign(shape, { [at]: "object" }, shapeOf(field as object, `${at}.`));
    else shape[at] = type;
    if (/\.\d+$/.test(at)) delete shape[at];
  }
  return shape;
}

function isRefusal([first]: readonly { code?: unknown }[]): boolean {
  return first?.code !== undefined;
}
