import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { VERSION } from "@telltale/core";
import { type Command, UsageError } from "./command.js";
import type { Check, Library } from "./doctor/check.js";
import { checkConfig } from "./doctor/check-config.js";
import { checkLibraries, checkOthers, hearingOf } from "./doctor/check-libraries.js";
import { checkOutlets } from "./doctor/check-outlets.js";
import { checkStart, checkTelltale } from "./doctor/check-start.js";
import { type App, findApp } from "./doctor/find-app.js";
import { dependenciesOf, findInstalled } from "./doctor/installed.js";
import { packagesOf, readSources } from "./doctor/read-sources.js";
import { renderDiagnosis } from "./doctor/render.js";
import { tryApp } from "./doctor/try-app.js";

const HELP = `telltale doctor [app.js]: what of an app will be seen, what will not, why, and the cure

  app.js     the file that runs first; default: what "start" in package.json runs, or main
  --run <s>  run the app, too, for so many seconds from 1 to 60, and say what it loads; it then does whatever it does
  --json     all that was found as JSON, for programs

Reads the app's files and those of its libraries; runs none of them but with --run. Only a telltale.config.js is loaded, as the preload does. Asks
the endpoints that telemetry would go to, with nothing in it, and tries the port of the metrics. Prints no values of variables.

Exit codes: 0 nothing is in the way, or warnings only; 1 something will not be seen, or cannot arrive; 2 the arguments are wrong.
`;

/** `telltale doctor`. */
export const doctor: Command = {
  help: HELP,
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: "boolean", default: false }, run: { type: "string" } },
      allowPositionals: true,
    });
    if (positionals.length > 1) throw new UsageError(`one app at a time, got ${positionals.join(" ")}`);
    const seconds = readSeconds(values.run);
    const app = findApp(positionals[0]);
    const { checks, libraries } = await examine(app);
    if (seconds !== undefined) {
      if (app.entry === undefined)
        throw new UsageError("--run needs to know what to run: telltale doctor --run 5 app.js");
      checks.push(...(await tryApp(app.entry, seconds)));
    }
    const hasProblems = checks.some(({ status }) => status === "problem");
    const entry = app.entry === undefined ? undefined : relative(app.folder, app.entry);
    const { name = "an app", version = "" } = app.manifest;
    const text = values.json
      ? toJson({
          telltale: "doctor",
          format: 1,
          version: VERSION,
          node: process.versions.node,
          app: { name, version, folder: app.folder, entry, modules: app.modules },
          ok: !hasProblems,
          checks,
          libraries,
        })
      : renderDiagnosis({
          title: `${name} ${version}`.trim() + (entry === undefined ? "" : ` · ${entry}`),
          folder: app.folder,
          checks,
        });
    // What a configuration file has opened would keep this process alive.
    process.stdout.on("error", () => process.exit());
    process.exitCode = hasProblems ? 1 : 0;
    process.stdout.write(text, () => process.exit());
  },
};

function readSeconds(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const seconds = given.trim() === "" ? Number.NaN : Number(given);
  if (seconds >= 1 && seconds <= 60) return seconds;
  throw new UsageError(`--run must be a number of seconds from 1 to 60, got ${JSON.stringify(given)}`);
}

async function examine(app: App): Promise<{ checks: Check[]; libraries: readonly Library[] }> {
  const { config, checks: ofConfig, starts } = checkConfig(app);
  const { files, isWhole } = app.entry === undefined ? { files: new Map(), isWhole: true } : readSources(app.entry);
  const hearing = hearingOf(config, app.folder);
  const names = new Set([...dependenciesOf(app.manifest), ...packagesOf(files.values())]);
  const installed = findInstalled(app.folder, names);
  const ofStart = checkStart(app, files, [...hearing.supported.keys()]);
  const late = new Set(ofStart.filter(({ status }) => status === "problem").map(({ subject }) => subject));
  const { checks: ofLibraries, libraries } = checkLibraries(app, files, installed, hearing, late);
  const service = config.serviceName ?? config.packageName;
  return {
    checks: [
      { subject: "node", status: "ok", text: `${process.versions.node}; 22.15 or newer is needed` },
      checkEntry(app, files.size, isWhole),
      checkTelltale(app),
      ...ofStart,
      ...ofConfig,
      ...ofLibraries,
      ...checkOthers(app, installed),
      ...checkPlugAndPlay(app),
      ...(starts ? await checkOutlets(config, service) : []),
    ],
    libraries,
  };
}

function checkEntry({ entry, folder, modules }: App, read: number, isWhole: boolean): Check {
  if (entry === undefined) {
    const text = "which file runs first is not known here: only package.json and node_modules were read";
    return { subject: "app", status: "warning", text, cure: "say which: telltale doctor app.js" };
  }
  const text = `${relative(folder, entry)}, ${modules}; ${read} file${read === 1 ? "" : "s"} of the app read`;
  if (isWhole) return { subject: "app", status: "ok", text };
  return { subject: "app", status: "warning", text: `${text}; there are more, which were not` };
}

/** Where libraries lie in archives, their manifests cannot be read here. */
function checkPlugAndPlay({ folder }: App): Check[] {
  if (!existsSync(join(folder, ".pnp.cjs"))) return [];
  const text = "Yarn's Plug'n'Play: which libraries are installed is not seen here";
  return [{ subject: "libraries", status: "warning", text, cure: "yarn telltale doctor --run 5 app.js" }];
}

function toJson(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
