import { defineInstrumentation, type Guard, type Instrumentation, replaceMethod, undoAll } from "@telltale/core";
import { activeFields, addToJson, asText, isInText, readObject } from "./trace-fields.js";

type Print = (this: unknown, ...args: unknown[]) => void;

const METHODS = ["debug", "error", "info", "log", "trace", "warn"];

/** Adds trace ids to what is printed with `console`: to the end of a text, or into the object where all that is printed is one of JSON. */
export function consoleCorrelation(): Instrumentation {
  return defineInstrumentation({
    name: "console",
    modules: [],
    enable(guard) {
      const state = { on: true };
      const hears = (): boolean => state.on && guard.on;
      const undo = METHODS.map((name) => replaceMethod<Print>(console, name, (find) => wrap(find, hears, guard)));
      return () => {
        state.on = false;
        undoAll(undo);
      };
    },
  });
}

function wrap(find: () => Print, hears: () => boolean, guard: Guard): Print {
  return function print(...args) {
    let added = args;
    if (hears()) {
      try {
        added = withFields(args);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(find(), this, added);
  };
}

function withFields(args: unknown[]): unknown[] {
  // An empty line is meant to be one.
  if (args.length === 0) return args;
  const fields = activeFields();
  if (fields === undefined) return args;
  const [first, ...rest] = args;
  if (typeof first !== "string") return args.some(isInText) ? args : [...args, asText(fields)];
  if (rest.length === 0 && readObject(first) !== undefined) return [addToJson(first, fields)];
  if (args.some(isInText)) return args;
  // A text by itself is no format, one with "%" may take whatever follows.
  if (rest.length === 0 || first.includes("%")) return [`${first} ${asText(fields)}`, ...rest];
  return [...args, asText(fields)];
}
