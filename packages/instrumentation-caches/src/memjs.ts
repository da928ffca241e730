import { context } from "@opentelemetry/api";
import { defineInstrumentation, type Guard, type Instrumentation, type InstrumentedModule } from "@telltale/core";
import { beginCall, endCall, failCall, type MemcachedCall } from "./memcached-call.js";
import { MemcachedFailure } from "./memcached-failure.js";
import { patchMethods, type Wrap } from "./patch-methods.js";

/** What is used of it, in all releases of major 1. */
interface Client {
  /** Chooses, and changes nothing. */
  server(key: unknown): { readonly host: string; readonly port: number } | null;
}
interface Response {
  readonly header: { readonly status: number };
}
type Callback = (this: unknown, error: unknown, response?: Response | null) => unknown;
interface Exports {
  readonly Client: { readonly prototype: object };
}

const memjs: InstrumentedModule = {
  module: "memjs",
  calls: "memjs",
  majors: [1, 1],
  target: (exports) => (exports as Exports).Client.prototype,
  patch: ({ exports }, guard) => patchMethods((exports as Exports).Client.prototype, { perform }, guard),
};

/** Hears every call of memjs for a key, and what its lookups found. */
export function memjsInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: "memjs", modules: [memjs] });
}

/** By the request's opcode; `prepend` is sent as `append`. */
const COMMANDS = new Map([
  [0x00, "get"],
  [0x01, "set"],
  [0x02, "add"],
  [0x03, "replace"],
  [0x04, "delete"],
  [0x05, "incr"],
  [0x06, "decr"],
  [0x0e, "append"],
  [0x0f, "prepend"],
  [0x1c, "touch"],
]);

/** The server's answers that are no failure: not there, there already, not stored. */
const NOT_FOUND = 1;
const ANSWERS = new Set([0, NOT_FOUND, 2, 5]);
/** The others, by the protocol. */
const FAILURES = new Map([
  [3, "TOO_LARGE"],
  [4, "INVALID_ARGUMENTS"],
  [6, "NOT_A_NUMBER"],
  [0x20, "AUTH_ERROR"],
  [0x81, "UNKNOWN_COMMAND"],
  [0x82, "OUT_OF_MEMORY"],
]);

/** Callbacks of calls that have begun: to try again it calls itself with the same one. */
const heard = new WeakSet();

/** Sends what the methods for one key have made, and calls back with the whole answer, also where the app wants a promise. */
const perform: Wrap<Client> = (original, hears, guard) =>
  function patchedPerform(key, request, ...rest) {
    // The first releases have no number before it.
    const at = rest.findIndex((value) => typeof value === "function");
    const callback = rest[at] as Callback | undefined;
    if (callback === undefined || heard.has(callback) || !hears()) return Reflect.apply(original, this, arguments);
    try {
      const name = COMMANDS.get((request as Uint8Array)[1] ?? -1) ?? "other";
      const server = this.server(key);
      const to = server === null ? undefined : `${server.host}:${server.port}`;
      const call = beginCall("memjs", to, name, String(key), patchedPerform);
      if (call !== undefined) {
        const answered = hearAnswer(call, callback, guard);
        heard.add(answered);
        rest[at] = answered;
      }
    } catch (error) {
      guard.failed(error);
    }
    return original.call(this, key, request, ...rest);
  };

/** The app is called back in its caller's context, and not in that of the connection. */
function hearAnswer(call: MemcachedCall, callback: Callback, guard: Guard): Callback {
  return function answered(error, response) {
    try {
      const status = response?.header.status ?? 0;
      if (error) failCall(call, typeof error === "string" ? new MemcachedFailure(error) : error);
      else if (ANSWERS.has(status)) endCall(call, () => status !== NOT_FOUND);
      else {
        call.operation.statusCode = String(status);
        failCall(call, new MemcachedFailure("the server refused it", FAILURES.get(status) ?? "OTHER_STATUS"));
      }
    } catch (failure) {
      guard.failed(failure);
    }
    return context.with(call.operation.context, Reflect.apply, undefined, callback, this, arguments);
  };
}
