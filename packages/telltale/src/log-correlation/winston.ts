import { createRequire } from "node:module";
import {
  defineInstrumentation,
  type Guard,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
} from "@telltale/core";
import { activeFields, hasFields } from "./trace-fields.js";

type Write = (this: unknown, info: unknown, ...rest: never[]) => boolean;

/**
 * Adds trace ids to what winston logs, before its formats: `json` shows them, a `printf` of the app's can. Where a format is waited for
 * the caller's context is gone, so it is done when the logger is called.
 */
export function winstonCorrelation(): Instrumentation {
  return defineInstrumentation({ name: "winston", modules: [{ module: "winston", majors: [3, 3], patch }] });
}

/** Errors and other objects of the app's own that carry fields of ours, which are out of date when they are logged again. */
const ours = new WeakSet<object>();

function patch({ file }: LoadedModule, guard: Guard): () => void {
  const Logger = createRequire(file)("./winston/logger") as { prototype: object };
  const state = { on: true };
  const restore = replaceMethod<Write>(
    Logger.prototype,
    "write",
    (find) =>
      function write(info) {
        if (state.on && guard.on) {
          try {
            // In strict code this leaves the app's object, and the parameter, as they are.
            arguments[0] = withFields(info);
          } catch (error) {
            guard.failed(error);
          }
        }
        return Reflect.apply(find(), this, arguments);
      },
  );
  return () => {
    state.on = false;
    restore();
  };
}

function withFields(info: unknown): unknown {
  if (typeof info !== "object" || info === null) return info;
  const fields = activeFields();
  if (fields === undefined && !ours.has(info)) return info;
  if (hasFields(info) && !ours.has(info)) return info;
  const prototype: unknown = Object.getPrototypeOf(info);
  // What the app has made may go elsewhere after it was logged.
  if (prototype === Object.prototype || prototype === null) return { ...info, ...fields };
  // An error cannot be copied.
  if (!Object.isExtensible(info)) return info;
  ours.add(info);
  return Object.assign(info, fields ?? { trace_id: undefined, span_id: undefined, trace_flags: undefined });
}
