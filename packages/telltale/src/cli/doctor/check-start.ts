import { createRequire } from "node:module";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { VERSION } from "@telltale/core";
import { readManifest } from "../../manifest.js";
import type { Check } from "./check.js";
import { type App, findFile } from "./find-app.js";
import { findInstalled, findPackage } from "./installed.js";
import { readText } from "./read-text.js";
import { packagesOf, readSources, type Source } from "./read-sources.js";

/** Where people write how a program is started, beside the scripts of its package.json. */
const PLACES = ["Dockerfile", "Procfile", "ecosystem.config.js", "ecosystem.config.cjs", ".npmrc", ".env"];
const PRELOAD = /\btelltale(\/register\b|[\\/]register\.cjs\b|["',\s]{1,9}run\b)/;
const RUN = /\btelltale["',\s]{1,9}run\b/;

/** Whether `--require telltale/register` finds anything from the app, and the same Telltale as this. */
export function checkTelltale({ folder }: App): Check {
  const found = findPackage("telltale", folder);
  const subject = "telltale";
  if (found === undefined) {
    const preload = createRequire(import.meta.url).resolve("telltale/register");
    return {
      subject,
      status: "note",
      text: `${VERSION}; it is not installed for the app, where --require telltale/register means nothing`,
      cure: `npm install telltale there, telltale run, or --require ${preload}`,
    };
  }
  const { version } = readManifest(found) ?? {};
  if (version === VERSION) return { subject, status: "ok", text: VERSION };
  return {
    subject,
    status: "warning",
    text: `the app has ${version}, this is ${VERSION}: what is said here may not be so there`,
    cure: "ask the app's own: npx telltale doctor in its folder",
  };
}

/** How the app is started, as far as files and the environment say it, and which libraries come before. */
export function checkStart(app: App, sources: ReadonlyMap<string, Source>, libraries: readonly string[]): Check[] {
  const starting = [...sources.values()].find(({ beforeStart }) => beforeStart !== undefined);
  const environment = process.env["NODE_OPTIONS"] ?? "";
  const lines = [...Object.values(app.manifest.scripts ?? {}), ...linesOfFiles(app.folder)];
  const commands = PRELOAD.test(environment)
    ? [environment]
    : lines.filter((line) => PRELOAD.test(line)).map((line) => `${environment} ${asNode(line)}`);
  const late = new Map<string, string>();
  for (const command of commands) {
    for (const name of preloadsBefore(command)) {
      for (const library of reached(name, app.folder, libraries)) late.set(library, `the preload ${name}`);
    }
  }
  if (starting !== undefined) {
    for (const name of starting.loads.slice(0, starting.beforeStart)) {
      for (const library of reached(name, app.folder, libraries)) late.set(library, "start() in the app's own code");
    }
  }
  const checks: Check[] = [];
  if (commands.length === 0 && starting === undefined) {
    checks.push({
      subject: "start",
      status: "note",
      text: "nothing here starts the app with Telltale: no script, no NODE_OPTIONS, no start() in its code",
      cure: `npx telltale run ${howToRun(app)}`,
    });
  } else
    checks.push({ subject: "start", status: "ok", text: commands.length > 0 ? "preloaded" : "by start() in the code" });
  for (const [library, by] of late) {
    const inCode = by.startsWith("start()");
    checks.push({
      subject: library,
      status: "problem",
      text: `loaded before Telltale${inCode ? `, as imports run before ${by}` : ` by ${by}`}: it will not be seen`,
      cure: inCode
        ? "call start() in a file of its own that is imported first, or preload: npx telltale run"
        : "name telltale/register first; --require comes before --import, and NODE_OPTIONS before both",
    });
  }
  return checks;
}

/** Node strips types, but compiles no decorators and no JSX: an app that has tsx is run by it. */
function howToRun({ entry, folder }: App): string {
  if (entry === undefined) return "app.js";
  const path = relative(folder, entry);
  return /\.[cm]?tsx?$/.test(path) && findPackage("tsx", folder) !== undefined ? `--import tsx ${path}` : path;
}

function linesOfFiles(folder: string): string[] {
  return PLACES.flatMap((name) => readText(join(folder, name)).slice(0, 1_000_000).split("\n"));
}

/** `telltale run` names its preload before all that follows. */
function asNode(line: string): string {
  return line.replace(RUN, "node --require telltale/register");
}

/** What a command line of node preloads before Telltale, in the order in which node does. */
function preloadsBefore(command: string): string[] {
  const flags = [...command.matchAll(/(?:^|[\s"'=])(--require|-r|--import)(?:=|\s+)["']?([^\s"']+)/g)];
  const ordered = [
    ...flags.filter(([, flag]) => flag !== "--import"),
    ...flags.filter(([, flag]) => flag === "--import"),
  ];
  const names = ordered.map(([, , name = ""]) => name);
  const own = names.findIndex((name) => PRELOAD.test(name));
  return own < 0 ? [] : names.slice(0, own);
}

/** Of the libraries, those that a file or a package brings along. */
function reached(name: string, folder: string, libraries: readonly string[]): string[] {
  const isFile = name.startsWith(".") || isAbsolute(name);
  const file = isFile ? findFile(resolve(folder, name)) : undefined;
  const packages = file === undefined ? [packageOf(name)] : [...packagesOf(readSources(file).files.values())];
  const from = file === undefined ? folder : dirname(file);
  const names = new Set([...packages, ...findInstalled(from, packages).map((installed) => installed.name)]);
  return libraries.filter((library) => names.has(library));
}

function packageOf(name: string): string {
  return name.split("/", name.startsWith("@") ? 2 : 1).join("/");
}
