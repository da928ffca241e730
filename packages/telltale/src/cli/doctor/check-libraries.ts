import { createRequire } from "node:module";
import { dirname, relative } from "node:path";
import { type SupportedModule, whyUnsupported } from "@telltale/core";
import { cureOf, findBundled } from "../../bundled.js";
import type { InstrumentationName } from "../../config/options.js";
import type { Config } from "../../config/resolve.js";
import { INSTRUMENTATIONS } from "../../instrumentations.js";
import { readManifest } from "../../manifest.js";
import { findUpstream, type InstalledUpstream, isReached } from "../../upstream/find.js";
import { type Upstream, UPSTREAM, UPSTREAM_NAMES, type UpstreamName } from "../../upstream/known.js";
import type { Check, Library } from "./check.js";
import type { App } from "./find-app.js";
import { findPackage, type Installed } from "./installed.js";
import type { Source } from "./read-sources.js";

/** What talks to others and is heard by nothing here, so that nobody looks for it in vain. */
const UNHEARD = new Set(
  `@apollo/server @clickhouse/client @confluentinc/kafka-javascript @elastic/elasticsearch @grpc/grpc-js @libsql/client
  @opensearch-project/opensearch amqplib aws-sdk bullmq cassandra-driver graphql kafkajs mysql nats neo4j-driver oracledb pg-native
  restify sqlite3`.split(/\s+/),
);
/** From here on Prisma runs on a driver, which is heard; before, on an engine of its own. */
const PRISMA_WITH_DRIVERS = 7;
const AGENTS = new Set(
  `@elastic/opentelemetry-node @opentelemetry/auto-instrumentations-node @opentelemetry/sdk-node @sentry/node @splunk/otel appdynamics
  dd-trace elastic-apm-node newrelic`.split(/\s+/),
);

interface Supported extends SupportedModule {
  readonly isOn: boolean;
}

/** What a configuration lets be heard. */
export interface Hearing {
  /** What is no library. */
  readonly builtIn: readonly string[];
  /** The libraries that Telltale has an instrumentation for. */
  readonly supported: ReadonlyMap<string, Supported>;
  /** The instrumentations of others that the app has installed. */
  readonly upstream: readonly InstalledUpstream[];
}

export function hearingOf({ instrumentations = {} }: Partial<Config>, appFolder: string): Hearing {
  const supported = new Map<string, Supported>();
  for (const name of Object.keys(INSTRUMENTATIONS) as InstrumentationName[]) {
    const isOn = instrumentations[name] !== false;
    for (const { module, majors } of INSTRUMENTATIONS[name]({ packageName: undefined }, "").state.supports) {
      // Some are patched in one way up to a version, and in another from then on.
      const [oldest, newest] = supported.get(module)?.majors ?? majors;
      supported.set(module, {
        module,
        majors: [Math.min(oldest, majors[0]), Math.max(newest, majors[1])],
        isOn,
      });
    }
  }
  return {
    builtIn: instrumentations.http === false ? [] : ["node:http", "fetch"],
    supported,
    upstream: findUpstream(appFolder).filter(({ name }) => instrumentations[name] !== false),
  };
}

/** What of the app's libraries will be heard; those in `late` will not. */
export function checkLibraries(
  app: App,
  files: ReadonlyMap<string, Source>,
  installed: readonly Installed[],
  { builtIn, supported, upstream }: Hearing,
  late: ReadonlySet<string>,
): { checks: Check[]; libraries: Library[] } {
  const checks: Check[] = [];
  const libraries: Library[] = [];
  const heard: string[] = [];
  const inFiles = findInFiles(files, [...supported.keys()]);
  const bundledNames = new Set(inFiles.flatMap(([, bundled]) => bundled));
  for (const { name, version, folder } of installed) {
    // The app runs its own copy, and not the one that is installed for the bundler.
    if (bundledNames.has(name)) continue;
    const known = supported.get(name);
    if (known === undefined) {
      const through = upstream.find((each) => each.name === upstreamOf(name, version));
      if (through !== undefined) {
        libraries.push({ name, version, folder, state: "heard" });
        heard.push(`${name} ${version} (through ${through.package} ${through.version})`);
      } else if (isUnheard(name, version)) libraries.push({ name, version, folder, state: "unknown" });
      continue;
    }
    const why = whyUnsupported(known, version);
    libraries.push({
      name,
      version,
      folder,
      state: why !== undefined ? "unsupported" : known.isOn ? heardOr(late.has(name)) : "off",
    });
    if (why !== undefined) {
      const cure = `install ${name} ${known.majors[1]}, or tell us that you need ${version.split(".", 1)[0]}`;
      checks.push({ subject: name, status: "problem", text: why.slice(name.length + 1), cure });
    } else if (!known.isOn) {
      checks.push({ subject: name, status: "note", text: `${version} is switched off by the configuration` });
    } else if (!late.has(name)) heard.push(`${name} ${version}`);
  }
  const all = [...builtIn, ...heard];
  if (all.length > 0) checks.unshift({ subject: "heard", status: "ok", text: all.join(", ") });
  for (const [file, bundled] of inFiles) {
    const where = relative(app.folder, file);
    for (const name of bundled) libraries.push({ name, version: "0.0.0", folder: undefined, state: "bundled" });
    checks.push({
      subject: "bundled",
      status: "problem",
      text: `${bundled.join(", ")} ${bundled.length === 1 ? "is" : "are"} part of ${where}, where nothing can be seen of ${bundled.length === 1 ? "it" : "them"}`,
      cure: cureOf(bundled),
    });
  }
  return { checks: [...checks, ...notHeard(libraries.filter(({ state }) => state === "unknown"))], libraries };
}

function notHeard(unknown: readonly Library[]): Check[] {
  const checks: Check[] = [];
  const note = (found: readonly Library[], why: string, cure: string): void => {
    if (found.length === 0) return;
    const names = found.map(({ name, version }) => `${name} ${version}`).join(", ");
    const text = `${names}: Telltale has no instrumentation for ${found.length === 1 ? "it" : "them"}${why}`;
    checks.push({ subject: "not heard", status: "note", text, cure });
  };
  const through = unknown.map(({ name, version }) => upstreamOf(name, version));
  const packages = new Set(through.flatMap((name) => (name === undefined ? [] : [UPSTREAM[name].package])));
  note(
    unknown.filter((_, n) => through[n] !== undefined),
    ", but hears OpenTelemetry's",
    `npm install ${[...packages].join(" ")}`,
  );
  const others = unknown.filter((_, n) => through[n] === undefined);
  const own = others.some(({ name }) => name === "bullmq") ? "; for bullmq its own telemetry, bullmq-otel" : "";
  note(
    others,
    "",
    `an instrumentation of OpenTelemetry's, if there is one, by start({ sdk: { instrumentations } })${own}`,
  );
  return checks;
}

function isUnheard(name: string, version: string): boolean {
  return UNHEARD.has(name) || (name === "@prisma/client" && Number.parseInt(version, 10) < PRISMA_WITH_DRIVERS);
}

/** The instrumentation that Telltale would use for a library, if it knows this version. */
function upstreamOf(library: string, version: string): UpstreamName | undefined {
  return UPSTREAM_NAMES.find((name) => {
    const { libraries, newest = Number.POSITIVE_INFINITY }: Upstream = UPSTREAM[name];
    return libraries.includes(library) && Number.parseInt(version, 10) <= newest;
  });
}

function heardOr(isLate: boolean): Library["state"] {
  return isLate ? "late" : "heard";
}

function findInFiles(files: ReadonlyMap<string, Source>, names: readonly string[]): [string, string[]][] {
  return [...files.keys()]
    .map((file): [string, string[]] => [file, findBundled(file, names)])
    .filter(([, bundled]) => bundled.length > 0);
}

/** Copies of OpenTelemetry's API that would not meet ours, and other agents. */
export function checkOthers(app: App, installed: readonly Installed[]): Check[] {
  const own = ownApi();
  const copies = installed.filter(({ name }) => name === "@opentelemetry/api");
  const apart = copies.filter(({ version }) => !isReached(version, own));
  const subject = "api";
  const checks: Check[] = [];
  if (apart.length > 0) {
    const where = apart.map(({ version, folder }) => `${version} in ${relative(app.folder, folder)}`).join(", ");
    checks.push({
      subject,
      status: "problem",
      text: `@opentelemetry/api ${where}: spans and metrics made with it are lost, as Telltale's is ${own}`,
      cure: `one copy of ${own} for all: npm dedupe, or "overrides": { "@opentelemetry/api": "${own}" } in package.json`,
    });
  } else {
    const several = copies.length > 1 ? `; ${copies.length} copies, which work together` : "";
    checks.push({ subject, status: "ok", text: `@opentelemetry/api ${own}${several}` });
  }
  const agents = installed.filter(({ name }) => AGENTS.has(name)).map(({ name, version }) => `${name} ${version}`);
  if (agents.length > 0) {
    checks.push({
      subject: "agents",
      status: "warning",
      text: `${agents.join(", ")}: where two agents run in one process, calls are traced twice, and the first has OpenTelemetry's API`,
      cure: "start one of them",
    });
  }
  return checks;
}

function ownApi(): string {
  const folder = findPackage(
    "@opentelemetry/api",
    dirname(createRequire(import.meta.url).resolve("@opentelemetry/api")),
  );
  return (folder === undefined ? undefined : readManifest(folder)?.version) ?? "0.0.0";
}
