import { createRequire } from "node:module";
import {
  defineInstrumentation,
  type Guard,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
} from "@telltale/core";
import { activeFields, addToJson } from "./trace-fields.js";

type AsJson = (this: unknown, record: unknown, message: unknown, level: number, time: string) => string;

/**
 * Adds trace ids to the lines of pino. They are put into the finished line, so that they stand at its top whatever the app has set up
 * (`nestedKey`, `formatters`, `mixin`, `redact`), and before it goes to a stream or to a transport's thread.
 */
export function pinoCorrelation(): Instrumentation {
  return defineInstrumentation({ name: "pino", modules: [{ module: "pino", majors: [8, 10], patch }] });
}

function patch({ file }: LoadedModule, guard: Guard): () => void {
  const inner = createRequire(file);
  const makeLogger = inner("./lib/proto.js") as () => object;
  const { asJsonSym } = inner("./lib/symbols.js") as { asJsonSym: symbol };
  const state = { on: true };
  const restore = replaceMethod<AsJson>(
    Object.getPrototypeOf(makeLogger()) as object,
    asJsonSym,
    (find) =>
      function asJson(record, message, level, time) {
        const line = find().call(this, record, message, level, time);
        if (!state.on || !guard.on) return line;
        try {
          const fields = activeFields();
          return fields === undefined ? line : addToJson(line, fields);
        } catch (error) {
          guard.failed(error);
          return line;
        }
      },
  );
  return () => {
    state.on = false;
    restore();
  };
}
