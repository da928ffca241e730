import { failedOn, type Guard, hasListeners, type InstrumentedModule, replaceMethod, undoAll } from "@telltale/core";
import { beginCall, queueCall } from "./ioredis-call.js";
import type { Client, Command, Pipeline } from "./ioredis.js";
import { becameReady } from "./ioredis-own-commands.js";

type Method<This> = (this: This, ...args: never[]) => unknown;
interface Exports {
  readonly prototype: object;
  readonly Cluster: { readonly prototype: object };
  readonly Pipeline: { readonly prototype: object };
}

/**
 * ioredis 5 and 6. Its diagnostics channels are not used: they speak when a command is written, in the connector's context for all that
 * was queued, and to subscribe changes how the app's rejections are reported.
 */
export const ioredis: InstrumentedModule = {
  module: "ioredis",
  calls: "ioredis",
  majors: [5, 6],
  target: (exports) => (exports as Exports).prototype,
  patch({ exports }, guard) {
    const { prototype: redis, Cluster, Pipeline } = exports as Exports;
    const patch = { on: true };
    const hears = () => patch.on && guard.on && hasListeners();
    const undo = [
      replaceMethod<Method<Client>>(redis, "sendCommand", (find) => clientSend(find(), redis, hears, guard)),
      replaceMethod<Method<Client>>(redis, "setStatus", (find) => clientStatus(find(), hears, guard)),
      // A cluster takes MOVED and its like for itself before they reach the app, and sends to other nodes: its commands begin here.
      replaceMethod<Method<Client>>(Cluster.prototype, "sendCommand", (find) =>
        clientSend(find(), Cluster.prototype, hears, guard),
      ),
      replaceMethod<Method<Pipeline>>(Pipeline.prototype, "sendCommand", (find) => pipelineSend(find(), hears, guard)),
    ];
    return () => {
      patch.on = false;
      undoAll(undo);
    };
  },
};

function clientSend(original: Method<Client>, prototype: object, hears: () => boolean, guard: Guard): Method<Client> {
  return function sendCommand(this: Client, command: Command) {
    if (hears()) {
      try {
        beginCall(this, command, guard);
      } catch (error) {
        failedOn(guard, prototype, this, error);
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
  return function setStatus(this: Client, status: string) {
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
