import type { Instrumentation } from "@telltale/core";
import type { LogCorrelationName } from "../config/options.js";
import { consoleCorrelation } from "./console.js";
import { pinoCorrelation } from "./pino.js";
import { winstonCorrelation } from "./winston.js";

const LOGGERS: Readonly<Record<LogCorrelationName, () => Instrumentation>> = {
  pino: pinoCorrelation,
  winston: winstonCorrelation,
  console: consoleCorrelation,
};

/** Adds trace ids to the lines of these loggers; returns what ends it. */
export function correlateLogs(names: readonly (LogCorrelationName | "none")[]): (() => void)[] {
  const wanted = [...new Set(names)].filter((name) => name !== "none");
  return wanted.map((name) => {
    const logger = LOGGERS[name]();
    logger.enable();
    return () => logger.disable();
  });
}
