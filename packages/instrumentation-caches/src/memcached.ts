import { context } from "@opentelemetry/api";
import { defineInstrumentation, type Guard, type Instrumentation, type InstrumentedModule } from "@telltale/core";
import { failureOf } from "./memcached-failure.js";
import { beginCall, endCall, failCall, type MemcachedCall } from "./memcached-call.js";
import { patchMethods, type Wrap } from "./patch-methods.js";

/** What is used of it, in all releases of major 2. */
interface Client {
  readonly servers: readonly string[];
  readonly namespace: string;
  readonly HashRing: { get(key: string): string | undefined };
}

/** A command before it is sent. */
interface Query {
  readonly type: string;
  /** With the namespace. */
  readonly key?: unknown;
  /** One of the commands that a `getMulti` is made of: the app's call is heard there. */
  readonly multi?: boolean;
  callback?: Callback;
}
type Callback = (this: unknown, error: unknown, data: unknown) => unknown;
type Compile = (copy: unknown) => Query;

const memcached: InstrumentedModule = {
  module: "memcached",
  calls: "memcached",
  majors: [2, 2],
  target: (exports) => (exports as { readonly prototype: object }).prototype,
  patch({ exports }, guard) {
    return patchMethods((exports as { readonly prototype: object }).prototype, { command, getMulti }, guard);
  },
};

/** Hears every call of memcached, and what its lookups found. */
export function memcachedInstrumentation(): Instrumentation {
  return defineInstrumentation({ name: "memcached", modules: [memcached] });
}

/** All commands go through here. One without a callback is not sent. */
const command: Wrap<Client> = (original, hears, guard) =>
  function patchedCommand(compile, server) {
    if (!hears() || typeof compile !== "function") return Reflect.apply(original, this, arguments);
    let isFirst = true;
    // It is called again for each server that is to have a copy of what is written.
    const heard: Compile = (copy) => {
      const query = (compile as Compile)(copy);
      if (isFirst && query.multi !== true && typeof query.callback === "function") {
        isFirst = false;
        try {
          const { key, type } = query;
          const single = typeof key === "string" ? key : undefined;
          const to = (server as string | undefined) ?? serverOf(this, single);
          const call = beginCall("memcached", to, type, single, patchedCommand);
          if (call !== undefined) query.callback = hearAnswer(call, query.callback, guard);
        } catch (error) {
          guard.failed(error);
        }
      }
      return query;
    };
    return original.call(this, heard, server);
  };

/** Asks each server for its part of the keys, and calls back once. */
const getMulti: Wrap<Client> = (original, hears, guard) =>
  function patchedGetMulti(keys, callback) {
    let call: MemcachedCall | undefined;
    // Without keys there is neither a command nor an answer.
    if (Array.isArray(keys) && keys.length > 0 && typeof callback === "function" && hears()) {
      try {
        const server = this.servers.length === 1 ? this.servers[0] : undefined;
        call = beginCall(
          "memcached",
          server,
          "get",
          (keys as unknown[]).map((key) => this.namespace + String(key)),
          patchedGetMulti,
        );
      } catch (error) {
        guard.failed(error);
      }
    }
    if (call === undefined) return Reflect.apply(original, this, arguments);
    return original.call(this, keys, hearAnswer(call, callback as Callback, guard, this.namespace.length));
  };

function serverOf({ servers, HashRing }: Client, key: string | undefined): string | undefined {
  if (servers.length === 1) return servers[0];
  return key === undefined ? undefined : HashRing.get(key);
}

/** The app is called back in its caller's context, and not in that of the connection. */
function hearAnswer(call: MemcachedCall, callback: Callback, guard: Guard, prefix = 0): Callback {
  return function answered(error, data) {
    try {
      const isThere = Array.isArray(call.keys)
        ? (key: string) => Object.hasOwn(Object(data), key.slice(prefix))
        : () => data !== undefined;
      const failure = failureOf(call.facts, error, data);
      if (failure === undefined) endCall(call, isThere);
      else failCall(call, failure, isThere);
    } catch (failure) {
      guard.failed(failure);
    }
    return context.with(call.operation.context, Reflect.apply, undefined, callback, this, arguments);
  };
}
