import { type Guard, hasListeners, type InstrumentedModule } from "@telltale/core";
import { beginCall, queueCall } from "./call.js";
import type { Client, Command, Pipeline } from "./ioredis.js";
import { becameReady } from "./own-commands.js";

type Method<This> = (this: This, ...args: never[]) => unknown;
interface Exports {
  readonly prototype: { sendCommand: Method<Client>; setStatus: Method<Client> };
  readonly Cluster: { readonly prototype: { sendCommand: Method<Client> } };
  readonly Pipeline: { readonly prototype: { sendCommand: Method<Pipeline> } };
}

/**
 * ioredis 5 and 6. Its diagnostics channels are not used: they speak when a command is written, in the connector's context for all that
 * was queued, and to subscribe changes how the app's rejections are reported.
 */
export const ioredis: InstrumentedModule = {
  module: "ioredis",
  majors: [5, 6],
  patch({ exports }, guard) {
    const { prototype: redis, Cluster, Pipeline } = exports as Exports;
    const patch = { on: true };
    const hears = () => patch.on && guard.on && hasListeners();
    const undo = [
      replace(redis, "sendCommand", (original) => clientSend(original, hears, guard)),
      replace(redis, "setStatus", (original) => clientStatus(original, hears, guard)),
      replace(Cluster.prototype, "sendCommand", (original) => clusterSend(original, hears, guard)),
      replace(Pipeline.prototype, "sendCommand", (original) => pipelineSend(original, hears, guard)),
    ];
    return () => {
      patch.on = false;
      for (const step of undo) step();
    };
  },
};

/** Replaces a method in place. Where somebody has wrapped ours when it is undone, it stays below theirs and passes calls through. */
function replace<Name extends string, Value>(
  owner: Record<Name, Value>,
  name: Name,
  wrap: (original: Value) => Value,
): () => void {
  const original = owner[name];
  const wrapper = wrap(original);
  owner[name] = wrapper;
  return () => {
    if (owner[name] === wrapper) owner[name] = original;
  };
}

// The wrappers keep the names and lengths of what they wrap.

function clientSend(original: Method<Client>, hears: () => boolean, guard: Guard): Method<Client> {
  return function sendCommand(this: Client, command: Command, _stream: unknown) {
    if (hears()) {
      try {
        beginCall(this, command, guard);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(original, this, arguments);
  };
}

/** A cluster's commands begin here: it takes MOVED and its like for itself before they reach the app, and sends to other nodes. */
function clusterSend(original: Method<Client>, hears: () => boolean, guard: Guard): Method<Client> {
  return function sendCommand(this: Client, command: Command, _stream: unknown, _node: unknown) {
    if (hears()) {
      try {
        beginCall(this, command, guard);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(original, this, arguments);
  };
}

/**
 * A pipeline only queues: the time until the app sends it is not the command's, so only the caller is noted. A pipeline that ioredis
 * fills by itself is on its way already, with commands of many callers who wait.
 */
function pipelineSend(original: Method<Pipeline>, hears: () => boolean, guard: Guard): Method<Pipeline> {
  return function sendCommand(this: Pipeline, command: Command) {
    if (hears()) {
      try {
        if (isAutomatic(this)) beginCall(this.redis, command, guard, this);
        else queueCall(this, command, guard);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(original, this, arguments);
  };
}

function isAutomatic(pipeline: Pipeline): boolean {
  for (const automatic of pipeline.redis._autoPipelines.values()) if (automatic === pipeline) return true;
  return false;
}

function clientStatus(original: Method<Client>, hears: () => boolean, guard: Guard): Method<Client> {
  return function setStatus(this: Client, status: string, _arg: unknown) {
    if (status === "ready" && hears()) {
      try {
        becameReady(this);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(original, this, arguments);
  };
}
