import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import { build } from "esbuild";

// What the preload loads is a few CommonJS files. Read as many ES modules, the same code takes several times as long; and
// an `import` of node:fs loads all that is behind it, 9 MB with streams, where `require` does not.

const packages = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

const LICENSE = "/*! Telltale, with parts of @opentelemetry/* (Copyright The OpenTelemetry Authors). Apache-2.0 */";

/** Our own packages are bundled from their sources, as the tests run them; all that has a state stays in one copy. */
const sources = {
  name: "sources",
  setup({ onResolve }) {
    onResolve({ filter: /^@telltale\/[a-z0-9-]+$/ }, ({ path }) => ({
      path: `${packages}${path.slice("@telltale/".length)}/src/index.ts`,
    }));
    onResolve({ filter: /^\.\/index\.js$/ }, ({ importer }) =>
      importer.endsWith("register.ts") ? { path: "./index.cjs", external: true } : undefined,
    );
    onResolve({ filter: /^\.\.\/index\.js$/ }, () => ({ path: "../index.cjs", external: true }));
    onResolve({ filter: /^\.\/[a-z]+\.js$/ }, ({ kind, path }) =>
      kind === "dynamic-import" ? { path: path.replace(/js$/, "cjs"), external: true } : undefined,
    );
  },
};

/** Shares a package with the app: it is required once and its exports are constants, not properties looked up at every use. */
function share(name, entry = name) {
  return {
    name: `share ${name}`,
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${name}$`) }, ({ namespace }) =>
        namespace === name ? { path: name, external: true } : { path: name, namespace: name, sideEffects: false },
      );
      onLoad({ filter: /^/, namespace: name }, () => ({
        contents: `export const { ${namesOf(entry)} } = require("${name}");`,
      }));
    },
  };
}

/** The instrumentations whose code is read when one of their libraries loads; those of every program are in the preload's one file. */
const DEFERRED = ["mariadb", "mongodb", "mysql2", "pg", "pools", "postgres", "redis", "tedious"];

/** In place of such a package: what its instrumentations wait for, as they say themselves, and from where the rest is read, seen from `folder`. */
function defer(folder) {
  return {
    name: "defer",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^@telltale/instrumentation-(${DEFERRED.join("|")})$`) }, ({ path }) => ({
        path: path.slice("@telltale/instrumentation-".length),
        namespace: "deferred",
      }));
      onResolve({ filter: /./, namespace: "deferred" }, ({ kind, path }) =>
        kind === "require-call" ? { path, external: true } : undefined,
      );
      onLoad({ filter: /./, namespace: "deferred" }, ({ path: name }) => {
        const instrumentations = Object.entries(require(`${packages}telltale/dist/instrumentations/${name}.cjs`));
        const lines = instrumentations.map(([create, instrumentation]) => {
          const { name, supports } = instrumentation().state;
          const outline = JSON.stringify({ name, supports });
          return `export const ${create} = (...options) => deferInstrumentation(${outline}, () => read().${create}(...options));`;
        });
        return {
          contents: `import { deferInstrumentation } from "@telltale/core";
const read = () => require("${folder}/instrumentations/${name}.cjs");
${lines.join("\n")}`,
          resolveDir: packages,
        };
      });
    },
  };
}

/** What only some commands load: it stays a file of its own. */
const viewerApart = {
  name: "viewer apart",
  setup({ onResolve }) {
    onResolve({ filter: /^@telltale\/viewer$/ }, () => ({ path: "../viewer.cjs", external: true }));
  },
};

/** What does not run in the app may be hard to read in a debugger, so that it is quickly installed. */
const COMMANDS = { sourcemap: false, minify: true };

function namesOf(entry) {
  return Object.keys(require(entry)).filter((name) => name !== "default");
}

/**
 * Grafana's SDK as the ES modules it was compiled from, so that only the builders in use are bundled: a third of a megabyte, not 1.3.
 */
const grafanaSdk = {
  name: "grafana sdk",
  setup({ onLoad }) {
    onLoad({ filter: /grafana-foundation-sdk[\\/]dist[\\/].*\.js$/ }, ({ path }) => {
      const contents = readFileSync(path, "utf8")
        .replaceAll(
          /^("use strict";|Object\.defineProperty\(exports.*|exports\..* = void 0;|const tslib_1 = .*)$/gm,
          "",
        )
        .replaceAll(/^tslib_1\.__exportStar\(require\((".*")\), exports\);$/gm, "export * from $1;")
        .replaceAll(/^const (\w+) = tslib_1\.__importStar\(require\((".*")\)\);$/gm, "import * as $1 from $2;")
        .replaceAll(/^exports\.(\w+) = \1;$/gm, "export { $1 };")
        .replaceAll(/^exports\.(\w+) = (".*");$/gm, "export const $1 = $2;")
        .replaceAll(/^\}\)\((\w+) \|\| \(exports\.\1 = \1 = \{\}\)\);$/gm, "})($1 || ($1 = {}));\nexport { $1 };")
        .replaceAll(/\(0, exports\.(\w+)\)|\bexports\.(\w+),/g, (_, called, named) => called ?? `${named},`);
      if (/\bexports\b[.,]|\brequire\(|tslib_1/.test(contents))
        throw new Error(`${path} is not what bundle.js expects`);
      return { contents };
    });
  },
};

async function bundlePackage(name, entries, plugins, options = {}) {
  const folder = `${packages}${name}`;
  const { outputFiles, metafile } = await build({
    entryPoints: entries.map((entry) =>
      typeof entry === "string" ? { in: `${folder}/src/${entry}.ts`, out: entry } : entry,
    ),
    outdir: `${folder}/dist`,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node22.15",
    // A quarter less to be read at each start, and without comments all of it is one byte a character in memory.
    minifyWhitespace: true,
    lineLimit: 160,
    sourcemap: true,
    sourcesContent: false,
    define: { "import.meta.url": "__filename" },
    plugins,
    banner: { js: LICENSE },
    logLevel: "warning",
    metafile: true,
    ...options,
  });
  for (const { path, text } of outputFiles) writeIfNew(path, text);
  // What is read and left out again is not in it.
  return Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).filter((path) => inputs[path].bytesInOutput > 0),
  );
}

function writeIfNew(path, text) {
  // A program that runs must not find half a file.
  if (text === readIfThere(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** What is under other licences than ours says so in a file beside it. */
function writeLicenses(path, inputs, what = "The command line") {
  const folders = new Set(inputs.map((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input)?.[0]));
  const texts = [...folders]
    .filter((folder) => folder !== undefined)
    .map((folder) => resolve(folder))
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
      const file = readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
      if (file === undefined) throw new Error(`${name} is bundled and has no file with its licence`);
      return `${name} ${version} (${license})\n\n${readFileSync(`${folder}/${file}`, "utf8").trim()}\n`;
    });
  writeIfNew(
    path,
    `${what} ${what.endsWith("s") ? "are" : "is"} bundled with these packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`,
  );
}

/** The viewer's pages, which vite has built, with the licences of what is in them. What is large is compressed: a quarter to be installed. */
function copyPages(from, to) {
  const written = new Set(["LICENSES.txt"]);
  for (const entry of existsSync(from) ? readdirSync(from, { recursive: true, withFileTypes: true }) : []) {
    if (!entry.isFile()) continue;
    const name = relative(from, join(entry.parentPath, entry.name));
    const page = readFileSync(join(from, name));
    written.add(page.length > 1_000 ? writeCompressed(to, name, page) : writePlain(to, name, page));
  }
  writeLicenses(
    `${to}/LICENSES.txt`,
    ["preact", "uplot"].map((name) => `${dirname(require.resolve(name))}/`),
    "The pages",
  );
  for (const entry of readdirSync(to, { recursive: true, withFileTypes: true })) {
    const name = relative(to, join(entry.parentPath, entry.name));
    if (entry.isFile() && !written.has(name)) rmSync(join(to, name));
  }
}

function writePlain(folder, name, page) {
  writeIfNew(join(folder, name), page.toString());
  return name;
}

function writeCompressed(folder, name, page) {
  const file = join(folder, `${name}.br`);
  // To compress takes a while, to look does not.
  if (!existsSync(file) || !brotliDecompressSync(readFileSync(file)).equals(page)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, brotliCompressSync(page));
  }
  return `${name}.br`;
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Writes `dist/*.cjs` of core, which all packages share, and of telltale, with all that it is made of; and its documents. */
export async function bundle() {
  const api = share("@opentelemetry/api");
  await bundlePackage("core", ["index"], [api]);
  const core = share("@telltale/core", `${packages}core/dist/index.cjs`);
  const deferred = DEFERRED.map((name) => ({
    in: `${packages}instrumentation-${name}/src/index.ts`,
    out: `instrumentations/${name}`,
  }));
  await bundlePackage("telltale", deferred, [api, core, sources]);
  await bundlePackage(
    "telltale",
    ["index", "register", "bundler/index", "lambda/index"],
    [api, core, defer("."), sources],
  );
  // Jest's own require reads no ES modules.
  await bundlePackage("testkit", ["jest"], [api, core]);
  const viewer = { in: `${packages}viewer/src/index.ts`, out: "viewer" };
  await bundlePackage("telltale", [viewer], [api, core, sources], COMMANDS);
  copyPages(`${packages}viewer/dist/web`, `${packages}telltale/dist/web`);
  const commands = ["main", "baseline", "dev", "doctor", "grafana", "mcp", "report", "run", "top", "viewer"];
  const inputs = await bundlePackage(
    "telltale",
    commands.map((name) => `cli/${name}`),
    [api, core, viewerApart, defer(".."), sources, grafanaSdk],
    {
      ...COMMANDS,
      banner: { js: "/*! Telltale, Apache-2.0; with packages whose licences are in LICENSES.txt */" },
    },
  );
  writeLicenses(`${packages}telltale/dist/cli/LICENSES.txt`, inputs);
  // Findings name their pages: whoever has Telltale from npm has them, too.
  const isText = (path) => !path.endsWith(".png");
  cpSync(`${packages}../docs`, `${packages}telltale/docs`, { recursive: true, filter: isText });
}

/** For vitest's `globalSetup`. */
export const setup = bundle;

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
