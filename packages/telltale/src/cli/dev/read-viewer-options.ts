import type { ViewerOptions } from "@telltale/viewer";
import { UsageError } from "../command.js";

/** For `parseArgs`: where a viewer listens and keeps what comes. */
export const VIEWER_OPTIONS = {
  port: { type: "string" },
  "otlp-port": { type: "string" },
  host: { type: "string" },
  file: { type: "string" },
} as const;

export const VIEWER_HELP = `  --port <n>         of the pages, and of OTLP as well; default 4319; 0 for any that is free
  --otlp-port <n>    of OTLP, as exporters expect it; default 4318; 0 for any that is free
  --file <path>      keep what comes in this file, for the next time; default: in memory, gone with the viewer
  --host <address>   listen on this address, and not on this machine only: whoever reaches it sees everything`;

export type GivenViewerOptions = { readonly [name in keyof typeof VIEWER_OPTIONS]?: string | undefined };

export function readViewerOptions(given: GivenViewerOptions): ViewerOptions {
  const port = readPort("port", given.port);
  const otlpPort = readPort("otlp-port", given["otlp-port"]);
  if (given.host === "") throw new UsageError("--host must be an address such as 0.0.0.0, or left out");
  if (given.file === "") throw new UsageError("--file must be the path of a file, or left out");
  return {
    ...(port !== undefined && { port }),
    ...(otlpPort !== undefined && { otlpPort }),
    ...(given.host !== undefined && { host: given.host }),
    ...(given.file !== undefined && { file: given.file }),
  };
}

function readPort(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new UsageError(`--${name} must be a port from 0 to 65535, got ${JSON.stringify(text)}`);
}
