import { once } from "node:events";
import { parseArgs } from "node:util";
import { writeLine } from "../stderr.js";
import { type Command, UsageError } from "./command.js";
import { pointAt } from "./dev/environment.js";
import { canOpen, openBrowser } from "./dev/open-browser.js";
import { openViewer } from "./dev/open-viewer.js";
import { readViewerOptions, VIEWER_HELP, VIEWER_OPTIONS } from "./dev/read-viewer-options.js";
import { findProgram } from "./run/find-program.js";
import { type Ending, runAsChild } from "./run/run-as-child.js";

const HELP = `telltale dev [options] [options of node] <app> [arguments]    runs a program watched, and shows what it does

  telltale dev app.js
  telltale dev --watch app.js        started again with every change: what came before stays
  telltale dev npm start             a command, as with telltale run

${VIEWER_HELP}
  --no-open          leave the browser alone; so do BROWSER=none, CI, and a stderr that is no terminal
  --stay             keep the viewer when the program has ended, until Ctrl-C

Where a port is taken, and none was asked for, another one is used; for a program that listens on 4318 or 4319 itself, ask for others. Everything
is sampled, and sent to the viewer every half a second, unless OTEL_* variables say otherwise. Output, signals and exit code are those of the program.
`;

const OPTIONS = {
  ...VIEWER_OPTIONS,
  "no-open": { type: "boolean", default: false },
  stay: { type: "boolean", default: false },
} as const;

/** `telltale dev`. */
export const dev: Command = {
  help: HELP,
  passesOn: true,
  async run(args) {
    const [own, program] = split(args);
    const { values } = parseArgs({ args: own, options: OPTIONS });
    if (program.length === 0)
      throw new UsageError("say which program to run: telltale dev app.js; see telltale dev --help");
    const asked = readViewerOptions(values);
    const viewer = await openViewer({ ...asked, takesOtherPorts: true });
    // The program is not to die of its viewer.
    process.on("uncaughtException", (error) => say(`the viewer failed, the program runs on: ${error.stack}`));
    const { env, theirs } = pointAt(viewer.otlpUrl, process.env);
    say(`watch it at ${viewer.url}`);
    if (theirs.length > 0)
      say(`the environment has its own ${theirs.join(", ")}: the viewer shows what comes to ${viewer.otlpUrl}`);
    if (!values["no-open"] && canOpen(process.env)) openBrowser(viewer.url);
    let isEnding = false;
    for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => (isEnding = true));
    runAsChild(findProgram(program, env), async (ending) => {
      // Ctrl-C is the program's first; who sends these wants all of it to end.
      if (values.stay && !isEnding) await stay(viewer.url, ending);
      await viewer.close();
    });
  },
};

/** Our own options are those in front; from the first other one on, all is node's or the program's. */
function split(args: readonly string[]): [own: string[], program: string[]] {
  let count = 0;
  while (count < args.length) {
    const [, name = "", value] = /^--([a-z-]+)(=.*)?$/s.exec(args[count] ?? "") ?? [];
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as keyof typeof OPTIONS] : undefined;
    if (option === undefined) break;
    count += option.type === "string" && value === undefined ? 2 : 1;
  }
  return [args.slice(0, count), args.slice(count)];
}

async function stay(url: string, { code, signal }: Ending): Promise<void> {
  say(`the program ended with ${signal ?? code}; the viewer stays at ${url} until Ctrl-C`);
  await Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map((name) => once(process, name)));
}

/** Stdout is the program's, and its stderr is to stay as it was found. */
function say(text: string): void {
  writeLine(`telltale: ${text}`);
}
