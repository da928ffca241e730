import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/**
 * No SQL Server: no package brings one. It says what the protocol's public description ([MS-TDS]) has a server say to the few things that the
 * tests ask, and reads of a message only its text: whatever holds `boom` fails, `booms` twice, `raise` in the app's own words, `doze` is answered
 * late, `wait` never.
 */
export interface FakeSqlServer {
  readonly port: number;
  /** What has reached it since the log-in, one entry per message. */
  readonly received: string[];
  close(): void;
}

const [SQL_BATCH, RPC, ATTENTION, BULK_LOAD, TRANSACTION, LOGIN, PRELOGIN] = [0x01, 0x03, 0x06, 0x07, 0x0e, 0x10, 0x12];
const KINDS: Readonly<Record<number, string>> = { [SQL_BATCH]: "batch", [RPC]: "rpc", [BULK_LOAD]: "rows" };
const CHANGED_DATABASE = 1;
const [DONE, DONE_PROC, DONE_IN_PROC] = [0xfd, 0xfe, 0xff];

export async function startFakeSqlServer(): Promise<FakeSqlServer> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let pending = Buffer.alloc(0);
    let message: Buffer[] = [];
    socket.on("error", () => {});
    socket.on("data", (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 8 && pending.length >= pending.readUInt16BE(2)) {
        const length = pending.readUInt16BE(2);
        const [type, isLast] = [pending.readUInt8(0), (pending.readUInt8(1) & 1) === 1];
        message.push(pending.subarray(8, length));
        pending = pending.subarray(length);
        if (!isLast) continue;
        const whole = Buffer.concat(message);
        message = [];
        answer(type, whole);
      }
    });

    function answer(type: number, body: Buffer): void {
      if (type === PRELOGIN) return send(prelogin());
      if (type === LOGIN) return send(loggedIn());
      if (type === ATTENTION) {
        // First the end of what was interrupted, then that of the interruption.
        send(done());
        return send(done(0x20));
      }
      if (type === TRANSACTION) {
        received.push(`transaction ${body.readUInt16LE(body.readUInt32LE(0))}`);
        return send(transaction(body.readUInt16LE(body.readUInt32LE(0))));
      }
      const text = body.toString("latin1").replaceAll("\0", "");
      if (text.includes("set textsize")) return send(done());
      received.push(`${KINDS[type]} ${text}`);
      if (text.includes("wait")) return;
      const failures = FAILURES.find(([word]) => text.includes(word))?.[1];
      if (failures !== undefined) {
        return send(Buffer.concat([...failures.map(failed), done(0x02, 0, type === RPC ? DONE_PROC : DONE)]));
      }
      if (type === BULK_LOAD) return send(done(0x10, 2));
      const reply = text.includes("USE ") ? change(CHANGED_DATABASE, "other") : row(7);
      const end =
        type === RPC
          ? [done(0x11, 1, DONE_IN_PROC), ...handle(body), returned(), done(0, 0, DONE_PROC)]
          : [done(0x10, 1)];
      const all = Buffer.concat([reply, ...end]);
      if (text.includes("doze")) setTimeout(send, 60, all);
      else send(all);
    }

    function send(tokens: Buffer): void {
      const header = Buffer.from([0x04, 1, 0, 0, 0, 0, 1, 0]);
      header.writeUInt16BE(tokens.length + 8, 2);
      socket.write(Buffer.concat([header, tokens]));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    received,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Version 16, and that it does not encrypt. */
function prelogin(): Buffer {
  return Buffer.from([0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0, 0, 0, 0, 2]);
}

function loggedIn(): Buffer {
  const name = varchar("no SQL Server");
  const ack = Buffer.concat([Buffer.from([1, 0x74, 0, 0, 4]), name, Buffer.from([16, 0, 0, 0])]);
  return Buffer.concat([change(CHANGED_DATABASE, "shop"), token(0xad, ack), done()]);
}

/** TM_BEGIN_XACT is 5, TM_COMMIT_XACT 7, TM_ROLLBACK_XACT 8. */
function transaction(kind: number): Buffer {
  const id = Buffer.from([8, 1, 2, 3, 4, 5, 6, 7, 8]);
  const none = Buffer.from([0]);
  const changed = kind === 5 ? [Buffer.from([8]), id, none] : [Buffer.from([kind === 7 ? 9 : 10]), none, id];
  return Buffer.concat([token(0xe3, Buffer.concat(changed)), done()]);
}

function change(kind: number, name: string): Buffer {
  return token(0xe3, Buffer.concat([Buffer.from([kind]), varchar(name), varchar("")]));
}

type Failure = readonly [number: number, text: string];
const DUPLICATE: Failure = [2627, "Violation of UNIQUE KEY constraint 'u'. The duplicate key value is (s3cret)."];
/** As SQL Server numbers and words them; the last is what `RAISERROR` makes of a text. */
const FAILURES: readonly (readonly [word: string, failures: readonly Failure[]])[] = [
  ["booms", [DUPLICATE, [1750, "Could not create constraint or index. See previous errors."]]],
  ["boom", [DUPLICATE]],
  ["raise", [[50_000, "no order of s3cret"]]],
];

function failed([number, text]: Failure): Buffer {
  const head = Buffer.alloc(6);
  head.writeInt32LE(number, 0);
  head.writeUInt8(14, 5);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(text.length);
  return token(
    0xaa,
    Buffer.concat([head, length, Buffer.from(text, "utf16le"), varchar(""), varchar(""), Buffer.alloc(4)]),
  );
}

/** One column `n` of one row. */
function row(n: number): Buffer {
  const columns = Buffer.concat([Buffer.from([0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0x38]), varchar("n")]);
  const value = Buffer.alloc(5);
  value.writeUInt8(0xd1);
  value.writeInt32LE(n, 1);
  return Buffer.concat([columns, value]);
}

/** `sp_prepare`, called by its number (11) or by its name, returns the statement's handle. */
function handle(body: Buffer): Buffer[] {
  const at = body.readUInt32LE(0);
  const length = body.readUInt16LE(at);
  const isPrepare =
    length === 0xffff
      ? body.readUInt16LE(at + 2) === 11
      : body.toString("utf16le", at + 2, at + 2 + length * 2) === "sp_prepare";
  if (!isPrepare) return [];
  const rest = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0x26, 4, 4, 9, 0, 0, 0]);
  return [Buffer.concat([Buffer.from([0xac, 0, 0]), varchar("@handle"), rest])];
}

/** A procedure's return status. */
function returned(): Buffer {
  return Buffer.from([0x79, 0, 0, 0, 0]);
}

function done(status = 0, rows = 0, kind = DONE): Buffer {
  const buffer = Buffer.alloc(13);
  buffer.writeUInt8(kind);
  buffer.writeUInt16LE(status, 1);
  buffer.writeUInt32LE(rows, 5);
  return buffer;
}

function token(kind: number, body: Buffer): Buffer {
  const head = Buffer.alloc(3);
  head.writeUInt8(kind);
  head.writeUInt16LE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** B_VARCHAR. */
function varchar(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, "utf16le")]);
}
