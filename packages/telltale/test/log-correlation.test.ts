import { createRequire } from "node:module";
import { trace } from "@opentelemetry/api";
import type { Instrumentation } from "@telltale/core";
import { collect } from "@telltale/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { consoleCorrelation } from "../src/log-correlation/console.js";
import { pinoCorrelation } from "../src/log-correlation/pino.js";
import { winstonCorrelation } from "../src/log-correlation/winston.js";

const require = createRequire(import.meta.url);

const lines: string[] = [];
const { info } = console;
let stop = (): void => {};
beforeAll(() => {
  ({ stop } = collect());
  console.info = (...args: unknown[]) => void lines.push(args.join(" "));
});
afterAll(() => {
  stop();
  console.info = info;
});

type Owner = Record<string | symbol, (...args: never[]) => unknown>;

/** What a method that is patched belongs to, and what logs by it, to `lines`; opened when the library may load. */
interface Logger {
  readonly correlation: () => Instrumentation;
  readonly owner: () => Owner;
  readonly method: () => string | symbol;
  readonly open: () => () => unknown;
}

const pino = () => require.resolve("pino");
const inner = (of: string, path: string): unknown => createRequire(of)(path);
const loggers: Readonly<Record<string, Logger>> = {
  console: {
    correlation: consoleCorrelation,
    owner: () => console as unknown as Owner,
    method: () => "info",
    open: () => () => console.info("hello"),
  },
  pino: {
    correlation: pinoCorrelation,
    owner: () => Object.getPrototypeOf((inner(pino(), "./lib/proto.js") as () => object)()) as Owner,
    method: () => (inner(pino(), "./lib/symbols.js") as { asJsonSym: symbol }).asJsonSym,
    open() {
      const logger = (require("pino") as typeof import("pino"))({}, { write: (line: string) => void lines.push(line) });
      return () => logger.info("hello");
    },
  },
  winston: {
    correlation: winstonCorrelation,
    owner: () => (inner(require.resolve("winston"), "./winston/logger") as { prototype: Owner }).prototype,
    method: () => "write",
    open() {
      const { createLogger, format, transports } = require("winston") as typeof import("winston");
      const print = format.printf((info) => {
        lines.push(JSON.stringify(info));
        return "";
      });
      const logger = createLogger({ format: print, transports: [new transports.Console({ silent: true })] });
      return () => logger.info("hello");
    },
  },
};

test.each(Object.entries(loggers))(
  "%s: once off, ids are added no more, though somebody else has wrapped the method meanwhile",
  (_, { correlation, owner, method, open }) => {
    const instrumentation = correlation();
    instrumentation.enable();
    const log = open();
    const own = owner();
    const name = method();
    const wrapped = own[name] as (...args: never[]) => unknown;
    own[name] = function () {
      return Reflect.apply(wrapped, this, arguments);
    };
    const inSpan = (): unknown =>
      trace.getTracer("test").startActiveSpan("work", (span) => {
        log();
        span.end();
        return lines.splice(0).map((line) => line.includes(span.spanContext().traceId));
      });
    try {
      expect(inSpan()).toEqual([true]);
      instrumentation.disable();
      expect(inSpan()).toEqual([false]);
    } finally {
      own[name] = wrapped;
    }
  },
);
