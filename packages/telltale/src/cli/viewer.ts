import { parseArgs } from "node:util";
import type { Command } from "./command.js";
import { canOpen, openBrowser } from "./dev/open-browser.js";
import { openViewer } from "./dev/open-viewer.js";
import { readViewerOptions, VIEWER_HELP, VIEWER_OPTIONS } from "./dev/read-viewer-options.js";

const HELP = `telltale viewer [options]    shows what any OpenTelemetry program sends, until Ctrl-C

${VIEWER_HELP}
  --open             open it in the browser

Takes OTLP over HTTP, protobuf and JSON. Programs that export to the default address, http://localhost:4318, need no settings; for others:
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
Telltale sends what it finds as logs, and pools and caches as metrics:
  OTEL_LOGS_EXPORTER=otlp OTEL_METRICS_EXPORTER=prometheus,otlp
Asks nothing of any other machine.
`;

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** `telltale viewer`. */
export const viewer: Command = {
  help: HELP,
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: { ...VIEWER_OPTIONS, open: { type: "boolean", default: false } },
    });
    const opened = await openViewer(readViewerOptions(values));
    const kept = values.file === undefined ? "in memory" : `in ${values.file}`;
    process.stdout.write(`telltale: watch at ${opened.url} · send OTLP to ${opened.otlpUrl} · kept ${kept}\n`);
    if (values.open && canOpen(process.env)) openBrowser(opened.url);
    const signal = await new Promise<NodeJS.Signals>((resolve) => {
      for (const each of ENDING) process.once(each, resolve);
    });
    await opened.close();
    // It was asked to end, and what came is kept: nothing went wrong. Others than a terminal may want to know of the signal.
    if (signal === "SIGINT") process.exit(0);
    process.kill(process.pid, signal);
  },
};
