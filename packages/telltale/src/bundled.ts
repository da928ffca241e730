import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/**
 * By library, a sentence of its code that stands in every supported version, and that minifiers leave as it is: no quotes, no line breaks.
 * `packages/telltale/test/bundled.test.ts` bundles each library that is installed and compares.
 */
export const MARKS: Readonly<Record<string, string>> = {
  "@hapi/hapi": "Authentication scheme must have a name",
  "@koa/router": "You have to provide a path when adding an all handler",
  "better-sqlite3": "Virtual table module name cannot be an empty string",
  express: "No default engine was specified and no extension was provided.",
  fastify: "Fastify has already been closed and cannot be reopened",
  hono: "This context has no FetchEvent",
  ioredis: "Reached the max retries per request limit (which is ",
  mariadb: "cannot know if server is MariaDB until connection is established",
  memcached: "No servers where supplied in the arguments",
  memjs: "Memcached server authentication failed",
  mongodb: "Attempted to check out a connection from closed connection pool",
  mssql: "Cannot close a pool while it is connecting",
  mysql2: "add new command when connection is in closed state",
  "node-cache": "The keys argument has to be an array.",
  pg: "Client has encountered a connection error and is not queryable",
  postgres: "Query not called as a tagged template literal",
  redis: "One (or more) of the watched keys has been changed",
  tedious: "Columns cannot be added to bulk insert after execution has started.",
};

/** Whoever has a bundle has more than this in it; and more than that nobody reads at the start of a program. */
const MIN_BYTES = 20_000;
const MAX_BYTES = 32 * 1024 * 1024;

/** The libraries, of those named, that were made part of a file by a bundler: what they do there cannot be seen. */
export function findBundled(file: string, libraries: readonly string[]): string[] {
  const text = readBundle(file);
  if (text === undefined) return [];
  const found = new Set<string>();
  // Bundlers that do not minify name the file that each part comes from.
  for (const [, name = ""] of text.matchAll(
    /\bnode_modules\/((?:@[\w.-]{1,99}\/)?[\w.-]{1,99})\/[\w./-]{0,300}\.[cm]?js["' \n*]/g,
  )) {
    if (libraries.includes(name)) found.add(name);
  }
  for (const name of libraries) {
    const mark = Object.hasOwn(MARKS, name) ? MARKS[name] : undefined;
    if (mark !== undefined && text.includes(mark)) found.add(name);
  }
  // Made with `telltale/bundler`, it hands them over by itself.
  return [...found].filter((name) => !text.includes(`bundle:${name}@`)).sort();
}

/** What to do about it, for the start-up lines and `telltale doctor`. */
export function cureOf(bundled: readonly string[]): string {
  return `build it with the plugin of telltale/bundler, or leave ${bundled.join(", ")} out of the bundle (external: in esbuild, rollup and vite; externals: in webpack) and install what is left out beside it`;
}

function readBundle(file: string): string | undefined {
  let open: number | undefined;
  try {
    open = openSync(file, "r");
    const { size } = fstatSync(open);
    if (size < MIN_BYTES || size > MAX_BYTES) return undefined;
    const bytes = Buffer.allocUnsafe(size);
    // One byte a character: what is looked for is ASCII.
    return bytes.toString("latin1", 0, readSync(open, bytes, 0, size, 0));
  } catch {
    return undefined;
  } finally {
    if (open !== undefined) closeSync(open);
  }
}
