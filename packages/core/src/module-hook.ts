import { existsSync, readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { basename, dirname, join, sep } from "node:path";
import { createGuard } from "./guard.js";
import { replaceMethod } from "./replace-method.js";
import { sayOnce } from "./say.js";
import { limitOf } from "./self.js";

const { cache } = createRequire(import.meta.url);

/** A library as it was loaded. */
export interface LoadedModule {
  /** From its `package.json`, whatever the folder is called. */
  readonly name: string;
  /** From its `package.json`; `0.0.0` when that says none. */
  readonly version: string;
  readonly exports: unknown;
  /** The file that was loaded. */
  readonly file: string;
}

type Load = (this: { readonly exports: unknown }, file: string) => unknown;

/** A program that loads a library over and over keeps each copy alive by itself (`module.children`); this is for one that does not. */
const MAX_LOADED = 1000;
const hooks = new Map<string, Set<(loaded: LoadedModule) => void>>();
/** By package, the files that are loaded instead of its main module. */
const otherEntries = new Map<string, readonly string[]>();
const loaded: LoadedModule[] = [];
const unheard = limitOf("module.copies");
const guard = createGuard("module hook");
let uninstall: (() => void) | undefined;

/**
 * Calls back for every copy of a package that loads, by `require` and by `import` alike, also for one that loaded while another hook
 * listened: for each folder it lies in, under each name it was installed as (`"pg-old": "npm:pg@8"`), and each time that it is loaded
 * again after it was taken out of `require.cache`. It wraps `Module.prototype.load`, which runs once per module, and which Node's ES
 * module loader goes through for a CommonJS package too (seen on Node 22.15, 24 and 26), so no loader thread and no wrapped module
 * graph is needed. Packages that are themselves ES modules are not seen.
 *
 * `others` are files of the package that apps load instead of its main module, and that do not load it: `["promise.js"]`.
 */
export function onModuleLoad(
  name: string,
  callback: (loaded: LoadedModule) => void,
  others: readonly string[] = [],
): () => void {
  const callbacks = hooks.get(name) ?? new Set();
  callbacks.add(callback);
  // It may have been passed over.
  if (!hooks.has(name)) packages.clear();
  hooks.set(name, callbacks);
  if (others.length > 0) otherEntries.set(name, others);
  mayBeHooked = new RegExp(`"name"\\s*:\\s*"(?:${[...hooks.keys()].join("|").replaceAll(".", "\\.")})"`);
  uninstall ??= install();
  for (const module of loaded) if (module.name === name) callback(module);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) hooks.delete(name);
    if (hooks.size > 0) return;
    uninstall?.();
    uninstall = undefined;
  };
}

function install(): () => void {
  let on = true;
  const wrapLoad = (find: () => Load): Load =>
    function load(file) {
      const result = Reflect.apply(find(), this, arguments);
      if (!on || !guard.on) return result;
      try {
        const found = packageOf(dirname(file));
        if (found?.entries.has(file)) {
          announce({ name: found.name, version: found.version, exports: this.exports, file });
        }
      } catch (error) {
        guard.failed(error);
      }
      return result;
    };
  const restore = replaceMethod(Module.prototype, "load", wrapLoad);
  return () => {
    on = false;
    restore();
  };
}

/** Copies of the packages that are waited for which `require` or `import` has loaded before, so that nobody was called back for them. */
export function modulesLoadedEarlier(): LoadedModule[] {
  const names = [...hooks.keys()].map((name) => `${MODULES}${name.replaceAll("/", sep)}${sep}`);
  const found: LoadedModule[] = [];
  for (const [file, module] of Object.entries(cache)) {
    if (module === undefined || !module.loaded || !names.some((name) => file.includes(name))) continue;
    const of = packageOf(dirname(file));
    if (!of?.entries.has(file) || loaded.some((known) => known.file === file)) continue;
    found.push({ name: of.name, version: of.version, exports: module.exports, file });
  }
  return found;
}

/**
 * Tells of a copy that the hook cannot see, as somebody else has loaded it: Jest's own `require`, a bundler's. Whoever waits for it patches
 * it now; the version is that of its `package.json`.
 */
export function announceModule(module: LoadedModule): void {
  if (!loaded.some((known) => known.exports === module.exports)) announce(module);
}

function announce(module: LoadedModule): void {
  if (loaded.length >= MAX_LOADED) {
    unheard.total += 1;
    sayOnce("info", `${module.name} was loaded too often; further copies are not instrumented`);
    return;
  }
  loaded.push(module);
  for (const callback of hooks.get(module.name) ?? []) callback(module);
}

interface Package {
  readonly name: string;
  readonly version: string;
  /** The files that are its main module, and no inner file such as `pg/lib/utils`. */
  readonly entries: ReadonlySet<string | undefined>;
}

const MAX_FOLDERS = 10_000;
const forgotten = limitOf("module.folders");
/** A manifest that says so may be that of a hooked package; nearly all are only searched for it, as to parse them takes longer. */
let mayBeHooked = /^/;
/** By folder, the hooked package that its files belong to. */
const packages = new Map<string, Package | undefined>();

function packageOf(folder: string): Package | undefined {
  if (packages.has(folder)) return packages.get(folder);
  const found = findPackage(folder);
  if (packages.size >= MAX_FOLDERS) {
    forgotten.total += packages.size;
    packages.clear();
  }
  packages.set(folder, found);
  return found;
}

// Taken before the app runs, which may replace those of `fs`, and count its calls.
const [exists, read] = [existsSync, readFileSync];

/** 20 µs for each package that the app loads. */
function findPackage(folder: string): Package | undefined {
  const installed = installedFolder(folder);
  if (installed !== undefined && installed !== folder) return packageOf(installed);
  const above = dirname(folder);
  if (above === folder || basename(folder) === "node_modules") return undefined;
  const path = join(folder, "package.json");
  try {
    const text = installed === folder || exists(path) ? read(path, "utf8") : "";
    if (!mayBeHooked.test(text)) {
      // Some say only of which type the modules are.
      return installed === folder || text.includes('"name"') ? undefined : packageOf(above);
    }
    const { name, version = "0.0.0" } = JSON.parse(text) as { name: string; version?: string };
    if (!hooks.has(name)) return undefined;
    const { resolve } = createRequire(path);
    const others = (otherEntries.get(name) ?? []).map((entry) => join(folder, entry));
    // `main`, and what `exports` gives to `require`.
    return { name, version, entries: new Set([resolved(resolve, "./"), resolved(resolve, name), ...others]) };
  } catch {
    return undefined;
  }
}

const MODULES = `${sep}node_modules${sep}`;

/** Where the package of a folder was installed; undefined for one that lies elsewhere, as the app does and what is linked to it. */
function installedFolder(folder: string): string | undefined {
  const at = folder.lastIndexOf(MODULES);
  if (at < 0) return undefined;
  const inside = at + MODULES.length;
  const [first = "", second = ""] = folder.slice(inside).split(sep, 2);
  return folder.slice(0, inside) + (first.startsWith("@") ? first + sep + second : first);
}

function resolved(resolve: NodeJS.RequireResolve, request: string): string | undefined {
  try {
    return resolve(request);
  } catch {
    return undefined;
  }
}
