import { diag, DiagLogLevel } from "@opentelemetry/api";
import { diagLogLevelFromString, getStringFromEnv } from "@opentelemetry/core";
import { writeLine } from "./stderr.js";

/** Where `OTEL_LOG_LEVEL` asks for it, what the SDK says of itself goes to stderr; its own logger writes to stdout, which is the app's. */
export function showDiagnostics(): void {
  const level = getStringFromEnv("OTEL_LOG_LEVEL");
  if (level === undefined) return;
  const write =
    (kind: string) =>
    (message: string, ...rest: unknown[]) => {
      writeLine(`telltale: ${kind}: ${[message, ...rest].map(String).join(" ")}`);
    };
  const logger = {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    verbose: write("verbose"),
  };
  diag.setLogger(logger, {
    logLevel: diagLogLevelFromString(level) ?? DiagLogLevel.INFO,
    suppressOverrideMessage: true,
  });
}
