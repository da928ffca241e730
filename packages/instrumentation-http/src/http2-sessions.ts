import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type Guard, replaceMethod } from "@telltale/core";

/** What sessions of clients have in common, none of which node:http2 exports. */
export interface Http2Sessions {
  readonly prototype: object;
  /** By these each session keeps where it leads: `localhost:443`, `https:`. */
  readonly authority: symbol;
  readonly protocol: symbol;
}

type Connect = (this: Socket, ...args: unknown[]) => unknown;
type ConnectHttp2 = typeof import("node:http2").connect;

/** Those of this process, once they were found. */
let known: Http2Sessions | undefined;

/**
 * Calls back when the app uses node:http2 as a client. To load that for everybody takes 15 ms and 8 MB, and no hook tells of a
 * built-in module that is imported, so it is looked for when a connection is opened, before anything is sent.
 */
export function onHttp2Client(found: (sessions: Http2Sessions) => void, guard: Guard): () => void {
  if (known !== undefined) {
    found(known);
    return () => {};
  }
  const { moduleLoadList: modules = [] } = process as typeof process & { readonly moduleLoadList?: readonly string[] };
  let looked = 0;
  let isFound = false;
  const stop = replaceMethod<Connect>(
    Socket.prototype,
    "connect",
    (find) =>
      function connect(this: Socket) {
        // Each module that loads makes the list longer.
        if (!isFound && guard.on && modules.length !== looked) {
          looked = modules.length;
          try {
            const connect = modules.includes("NativeModule http2") && process.getBuiltinModule("node:http2").connect;
            // An app that has put its own in this place need not see a session that it has not asked for.
            if (connect && isNodes(connect)) {
              isFound = true;
              stop();
              known = findSessions(connect);
              found(known);
            }
          } catch (error) {
            guard.failed(error);
          }
        }
        return Reflect.apply(find(), this, arguments);
      },
  );
  return stop;
}

function isNodes(connect: ConnectHttp2): boolean {
  return Function.prototype.toString.call(connect).includes("new ClientHttp2Session(");
}

/** Asks a session that leads nowhere. */
function findSessions(connect: ConnectHttp2): Http2Sessions {
  const nowhere = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const session = connect("http://localhost", { createConnection: () => nowhere });
  session.on("error", () => {}).destroy();
  const symbolOf = (description: string): symbol => {
    const symbol = Object.getOwnPropertySymbols(session).find((one) => one.description === description);
    if (symbol === undefined) throw new Error(`expected a session of HTTP/2 to have the symbol ${description}`);
    return symbol;
  };
  return {
    prototype: Object.getPrototypeOf(session) as object,
    authority: symbolOf("authority"),
    protocol: symbolOf("protocol"),
  };
}
