import { readFileSync } from "node:fs";
import Module from "node:module";
import { dirname, join, sep } from "node:path";
import { createGuard } from "./guard.js";

/** A library as it was loaded. */
export interface LoadedModule {
  readonly name: string;
  /** From its `package.json`; `0.0.0` when that cannot be read. */
  readonly version: string;
  readonly exports: unknown;
  /** The file that was loaded. */
  readonly file: string;
}

type Load = (this: unknown, request: string, parent: unknown, isMain: boolean) => unknown;
type Resolve = (request: string, parent: unknown, isMain: boolean) => string;
const loader = Module as unknown as { _load: Load; _resolveFilename: Resolve };

const hooks = new Map<string, Set<(loaded: LoadedModule) => void>>();
const loaded = new Map<string, LoadedModule>();
const guard = createGuard("module hook");
let original: Load | undefined;
let wrapper: Load | undefined;

/**
 * Calls back once for every copy of a package that loads, by `require` and by `import` alike, also for one that loaded
 * while another hook listened. It wraps `Module._load`, which Node's ES module loader goes through for a CommonJS package
 * too (seen on Node 22.15, 24 and 26), so no loader thread and no wrapped module graph is needed. Packages that are
 * themselves ES modules are not seen.
 */
export function onModuleLoad(name: string, callback: (loaded: LoadedModule) => void): () => void {
  const callbacks = hooks.get(name) ?? new Set();
  callbacks.add(callback);
  hooks.set(name, callbacks);
  install();
  for (const module of loaded.values()) if (module.name === name) callback(module);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) hooks.delete(name);
    if (hooks.size === 0) uninstall();
  };
}

function install(): void {
  if (original !== undefined) return;
  const wrapped = loader._load;
  original = wrapped;
  wrapper = function load(request, parent, isMain) {
    const exports = wrapped.call(this, request, parent, isMain);
    if (guard.on && hooks.size > 0) {
      try {
        const name = packageOf(request);
        if (name !== undefined) announce(name, request, parent, isMain, exports);
      } catch (error) {
        guard.failed(error);
      }
    }
    return exports;
  };
  loader._load = wrapper;
}

function uninstall(): void {
  // Where somebody has wrapped our wrapper, it stays and passes calls through until the next hook comes.
  if (original === undefined || loader._load !== wrapper) return;
  loader._load = original;
  original = undefined;
}

/** The hooked package that a request names: bare (`pg`), or as the file of its main module (an ES module's import). */
function packageOf(request: string): string | undefined {
  if (hooks.has(request)) return request;
  const at = request.lastIndexOf(`node_modules${sep}`);
  if (at < 0) return undefined;
  const [first, second] = request.slice(at + 13).split(sep, 2);
  const name = first?.startsWith("@") ? `${first}/${second}` : first;
  return name !== undefined && hooks.has(name) ? name : undefined;
}

function announce(name: string, request: string, parent: unknown, isMain: boolean, exports: unknown): void {
  const file = loader._resolveFilename(request, parent, isMain);
  if (loaded.has(file)) return;
  const manifest = manifestOf(name, file);
  // A file inside the package that is not its main module: `require("pg/lib/utils")`.
  if (request !== name && manifest !== undefined && manifest.main !== file) return;
  const module: LoadedModule = { name, version: manifest?.version ?? "0.0.0", exports, file };
  loaded.set(file, module);
  for (const callback of hooks.get(name) ?? []) callback(module);
}

function manifestOf(name: string, file: string): { version: string; main: string } | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        name?: string;
        version?: string;
      };
      if (manifest.name === undefined) continue;
      const main = loader._resolveFilename(folder, undefined, false);
      return manifest.name === name || manifest.version ? { version: manifest.version ?? "0.0.0", main } : undefined;
    } catch {
      // No manifest in this folder: look above.
    }
  }
  return undefined;
}
