import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// What the preload loads is a few CommonJS files. Read as 130 ES modules, the same code takes four times as long (see the README); and
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

function namesOf(entry) {
  return Object.keys(require(entry)).filter((name) => name !== "default");
}

async function bundlePackage(name, entries, plugins) {
  const { outputFiles } = await build({
    entryPoints: entries.map((entry) => `${packages}${name}/src/${entry}.ts`),
    outdir: `${packages}${name}/dist`,
    outExtension: { ".js": ".cjs" },
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node22.15",
    sourcemap: true,
    sourcesContent: false,
    define: { "import.meta.url": "__filename" },
    plugins,
    banner: { js: LICENSE },
    logLevel: "warning",
  });
  for (const { path, text } of outputFiles) {
    // A program that runs must not find half a file.
    if (text === readIfThere(path)) continue;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Writes `dist/*.cjs` of core, which all packages share, and of telltale, with all that it is made of. */
export async function bundle() {
  const api = share("@opentelemetry/api");
  await bundlePackage("core", ["index"], [api]);
  await bundlePackage(
    "telltale",
    ["index", "register"],
    [api, share("@telltale/core", `${packages}core/dist/index.cjs`), sources],
  );
}

/** For vitest's `globalSetup`. */
export const setup = bundle;

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle();
