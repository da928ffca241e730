import { existsSync, readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { basename, dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { hookEsModules } from "./es-module-hook.js";
import { createGuard } from "./guard.js";
import { hearBundles } from "./bundle-hook.js";
import { installedFolder, targetsOf } from "./package-files.js";
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
  /** Of one that is part of a bundle: what stands for its inner files there, see `requireInner`. */
  require?(path: string): unknown;
}

/** What a library does not hand out: an inner file of it (`./cmap/connection.js`, from its main module) or what it is made with. */
export function requireInner(loaded: LoadedModule, path: string): unknown {
  return loaded.require === undefined ? createRequire(loaded.file)(path) : loaded.require(path);
}

/** A CommonJS module, whose `exports` are what `require` and `import` are about to hand out. */
export interface LoadingModule {
  exports: unknown;
}

/** What is done when a file of a package is loaded, be it its main module or an inner one. */
export interface FileHook {
  /** It is about to run. */
  before(): void;
  /** It has run. */
  after(module: LoadingModule, file: string): void;
}

type Load = (this: LoadingModule, file: string) => unknown;

/** A program that loads a library over and over keeps each copy alive by itself (`module.children`); this is for one that does not. */
const MAX_LOADED = 1000;
const hooks = new Map<string, Set<(loaded: LoadedModule) => void>>();
const fileHooks = new Map<string, FileHook>();
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
 * graph is needed. For a package that is itself an ES module, `exports` is its namespace (see `es-module-hook.ts`); where it only
 * passes on what a CommonJS copy of the package exports, that copy is the one that is announced.
 *
 * `others` are files of the package that apps load instead of its main module, and that do not load it: `["promise.js"]`.
 */
export function onModuleLoad(
  name: string,
  callback: (loaded: LoadedModule) => void,
  others: readonly string[] = [],
): () => void {
  uninstall ??= install();
  const callbacks = hooks.get(name) ?? new Set();
  callbacks.add(callback);
  const isNew = !hooks.has(name);
  hooks.set(name, callbacks);
  if (others.length > 0) otherEntries.set(name, others);
  if (isNew) waitForPackages();
  for (const module of loaded) if (module.name === name) callback(module);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size === 0) hooks.delete(name);
    stopWaiting();
  };
}

/**
 * For instrumentations that set hooks of their own: the CommonJS files of a package as they load. One per package, the last that was given.
 */
export function onFileLoad(name: string, hook: FileHook): () => void {
  fileHooks.set(name, hook);
  waitForPackages();
  return () => {
    if (fileHooks.get(name) === hook) fileHooks.delete(name);
    stopWaiting();
  };
}

function waitForPackages(): void {
  // Some may have been passed over.
  folders.clear();
  hookedName = undefined;
  uninstall ??= install();
}

function stopWaiting(): void {
  if (hooks.size > 0 || fileHooks.size > 0) return;
  uninstall?.();
  uninstall = undefined;
}

function install(): () => void {
  let on = true;
  const wrapLoad = (find: () => Load): Load =>
    function load(file) {
      let found: Package | undefined;
      let around: FileHook | undefined;
      if (on && guard.on) {
        try {
          const folder = folderOf(dirname(file));
          found = folder.of;
          const isEs = file.endsWith(".mjs") || (folder.isEs && !file.endsWith(".cjs"));
          if (isEs && mayLead(file, found)) esModules.needed();
          if (found !== undefined) around = fileHooks.get(found.name);
          around?.before();
        } catch (error) {
          guard.failed(error);
        }
      }
      const result = Reflect.apply(find(), this, arguments);
      if (found === undefined || !on || !guard.on) return result;
      try {
        around?.after(this, file);
        if (found.entries.has(file) && !heardAsEsModule(file)) {
          announce({ name: found.name, version: found.version, exports: this.exports, file });
        }
      } catch (error) {
        guard.failed(error);
      }
      return result;
    };
  const esModules = hookEsModules(isEsEntry, hearEsModule, guard);
  const restore = replaceMethod(Module.prototype, "load", wrapLoad);
  const endBundles = hearBundles(hearBundled, guard);
  return () => {
    on = false;
    restore();
    endBundles();
    esModules.uninstall();
  };
}

/** `require` hands out something else than the namespace that was announced. */
function heardAsEsModule(file: string): boolean {
  return loaded.some((known) => known.file === file && isNamespace(known.exports));
}

function isEsEntry(file: string): boolean {
  const found = packageOf(dirname(file));
  return found !== undefined && (found.esEntries.has(file) || found.entries.has(file));
}

function hearEsModule(exports: object, url: string): void {
  if (!guard.on) return;
  try {
    const file = fileURLToPath(url);
    const found = packageOf(dirname(file));
    if (found !== undefined) announce({ name: found.name, version: found.version, exports, file });
  } catch (error) {
    guard.failed(error);
  }
}

/** An ES module of a bundle is no namespace that Node knows. */
function hearBundled(module: LoadedModule): void {
  const { default: passedOn } = module.exports as { readonly default?: unknown };
  if (!loaded.some(({ exports }) => exports === module.exports || exports === passedOn)) announce(module);
}

/**
 * True when one of the two hands out what the other does: an ES module whose default export is what a CommonJS module of the package
 * exports, or what other hooks (import-in-the-middle) have put around an ES module.
 */
function passesOn(a: LoadedModule, b: LoadedModule): boolean {
  if (!isNamespace(a.exports)) return isNamespace(b.exports) && b.exports["default"] === a.exports;
  if (!isNamespace(b.exports)) return a.exports["default"] === b.exports;
  if (a.file !== b.file) return false;
  const known = new Set(Object.values(a.exports));
  return Object.values(b.exports).some((value) => typeof value === "function" && known.has(value));
}

function isNamespace(exports: unknown): exports is Readonly<Record<string, unknown>> {
  return types.isModuleNamespaceObject(exports);
}

/** Copies of the packages that are waited for which `require` or `import` has loaded before, so that nobody was called back for them. */
export function modulesLoadedEarlier(): LoadedModule[] {
  const names = [...hooks.keys()].map((name) => `${sep}node_modules${sep}${name.replaceAll("/", sep)}${sep}`);
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
  if (loaded.some((known) => known.name === module.name && passesOn(known, module))) return;
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
  /** What else `exports` gives as the main module, under whatever conditions. */
  readonly esEntries: ReadonlySet<string>;
}

const MAX_FOLDERS = 10_000;
const forgotten = limitOf("module.folders");
/** A manifest that says so may be that of a hooked package. */
let hookedName: RegExp | undefined;
interface Folder {
  /** The hooked package that its files belong to. */
  readonly of: Package | undefined;
  /** Its `.js` files are ES modules. */
  readonly isEs: boolean;
}

const NO_PACKAGE: Folder = { of: undefined, isEs: false };
const folders = new Map<string, Folder>();

function packageOf(folder: string): Package | undefined {
  return folderOf(folder).of;
}

function folderOf(path: string): Folder {
  const known = folders.get(path);
  if (known !== undefined) return known;
  const found = findFolder(path);
  if (folders.size >= MAX_FOLDERS) {
    forgotten.total += folders.size;
    folders.clear();
  }
  folders.set(path, found);
  return found;
}

// Taken before the app runs, which may replace those of `fs`, and count its calls.
const [exists, read] = [existsSync, readFileSync];

/** 20 µs for each package that the app loads. */
function findFolder(folder: string): Folder {
  const installed = installedFolder(folder);
  if (installed !== undefined && installed !== folder) return folderOf(installed);
  const above = dirname(folder);
  if (above === folder || basename(folder) === "node_modules") return NO_PACKAGE;
  const path = join(folder, "package.json");
  try {
    if (installed !== folder && !exists(path)) return folderOf(above);
    const text = read(path, "utf8");
    // Searched for words first: expressions that run a few times are not compiled.
    const isEs = text.includes('"module"') && /"type"\s*:\s*"module"/.test(text);
    if (mayBeHooked(text)) return { of: readPackage(folder, path, text), isEs };
    // Some say only of which type the modules are.
    return { of: installed === folder || text.includes('"name"') ? undefined : packageOf(above), isEs };
  } catch {
    return NO_PACKAGE;
  }
}

/** Nearly all manifests are only searched, as to parse them takes longer. */
function mayBeHooked(manifest: string): boolean {
  hookedName ??= new RegExp(
    `\\s*:\\s*"(?:${[...hooks.keys(), ...fileHooks.keys()].join("|").replaceAll(".", "\\.")})"`,
    "y",
  );
  for (let at = manifest.indexOf(NAME); at >= 0; at = manifest.indexOf(NAME, at)) {
    at += NAME.length;
    hookedName.lastIndex = at;
    if (hookedName.test(manifest)) return true;
  }
  return false;
}

const NAME = '"name"';

/** An ES module that is required leads to a hooked package if it is part of one, or imports some: installed ones import what they depend on. */
function mayLead(file: string, of: Package | undefined): boolean {
  const installed = installedFolder(file);
  if (of !== undefined || installed === undefined) return true;
  try {
    return /"(?:d|peerD|optionalD)ependencies"\s*:\s*\{\s*"/.test(read(join(installed, "package.json"), "utf8"));
  } catch {
    return true;
  }
}

function readPackage(folder: string, path: string, text: string): Package | undefined {
  const {
    name,
    version = "0.0.0",
    main = "",
    exports,
  } = JSON.parse(text) as { name: string; version?: string; main?: unknown; exports?: unknown };
  if (!hooks.has(name) && !fileHooks.has(name)) return undefined;
  const { resolve } = createRequire(path);
  const others = (otherEntries.get(name) ?? []).map((entry) => join(folder, entry));
  // `main`, not by way of "./": of one that names no file, as in a manifest copied into `dist`, Node would warn. And what `exports` gives to `require`.
  const own = resolved(resolve, `./${main as string}`) ?? resolved(resolve, "./index");
  const entries = new Set([own, resolved(resolve, name), ...others]);
  const esEntries = new Set(targetsOf(exports).map((target) => join(folder, target)));
  return { name, version, entries, esEntries };
}

function resolved(resolve: NodeJS.RequireResolve, request: string): string | undefined {
  try {
    return resolve(request);
  } catch {
    return undefined;
  }
}
