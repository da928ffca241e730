import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import Module from "node:module";
import { fileURLToPath } from "node:url";
import { isInternalThread } from "node:worker_threads";
import type { Guard } from "./guard.js";
import { startTimer, stopTimer } from "./timers.js";

// Packages whose entry is an ES module. Node's module hooks are the only place where those are seen, and each module that loads while
// there is one costs 10 µs more, so the hook is set when the process first needs it: an `import` (Node publishes those), or a
// `require` of an ES module that may import what is waited for. Programs of CommonJS alone never have one.

export interface EsModuleHook {
  /** Before an ES module is loaded by `require`, which Node does not publish. */
  needed(): void;
  uninstall(): void;
}

const IMPORT = "tracing:module.import:start";

type LoadHook = Module.LoadHookSync;
type Hear = (namespace: object, url: string) => void;

const globals = globalThis as Record<symbol, Hear | undefined>;

/** Calls `hear`, which must not throw, when a module whose file is an entry has been evaluated. */
export function hookEsModules(isEntry: (file: string) => boolean, hear: Hear, guard: Guard): EsModuleHook {
  const name = freeName();
  const symbol = Symbol.for(name);
  let hooks: { deregister(): void } | undefined;

  const load: LoadHook = (url, context, nextLoad) => {
    const result = LOADS_IMPORTED_CJS_ITSELF ? loadAsWithoutHooks(url, context, nextLoad) : nextLoad(url, context);
    if (result.format !== "module" || !guard.on || !url.startsWith("file:")) return result;
    try {
      if (!isEntry(fileURLToPath(url))) return result;
      const { source } = result;
      return source === undefined ? result : { ...result, source: append(source, epilogue(name, url)) };
    } catch (error) {
      guard.failed(error);
      return result;
    }
  };

  function needed(): void {
    unsubscribe(IMPORT, needed);
    // Preloads run in the thread that serves `module.register` too, and Node 22 can load nothing there while there is a hook.
    if (isInternalThread || hooks !== undefined) return;
    try {
      hooks = Module.registerHooks({ load });
    } catch (error) {
      guard.failed(error);
    }
  }

  Object.defineProperty(globals, symbol, { value: hear, configurable: true });
  subscribe(IMPORT, needed);
  return {
    needed,
    uninstall() {
      unsubscribe(IMPORT, needed);
      hooks?.deregister();
      delete globals[symbol];
    },
  };
}

/** Each copy of core in the process has its own. */
function freeName(): string {
  let n = 1;
  while (Symbol.for(`telltale_es_module_${n}`) in globals) n++;
  return `telltale_es_module_${n}`;
}

/**
 * What follows the text of an entry: it hands the module's namespace over when all that is above has run, a top-level `await` too.
 * Lines, columns and the source map above stay as they are.
 */
function epilogue(name: string, url: string): string {
  importItself(url);
  return `\nimport * as ${name} from ${JSON.stringify(url)};\nglobalThis[Symbol.for("${name}")]?.(${name}, import.meta.url);\n`;
}

/** A module asks within milliseconds; one whose text is no program never does. */
const ASKS_WITHIN_MS = 1_000;

/** Other hooks may give another module for the URL than the one that asks; this one is asked first, and goes when it has answered. */
function importItself(own: string): void {
  const unasked = startTimer(() => hook.deregister(), ASKS_WITHIN_MS).unref();
  const hook = Module.registerHooks({
    resolve(specifier, context, nextResolve) {
      if (specifier !== own || context.parentURL !== own) return nextResolve(specifier, context);
      stopTimer(unasked);
      hook.deregister();
      return { url: own, format: "module", shortCircuit: true };
    },
  });
}

/** Bytes stay bytes: that is what other hooks are given by Node, and may expect. */
function append(source: Module.ModuleSource, text: string): Module.ModuleSource {
  if (typeof source === "string") return source + text;
  const bytes = source instanceof ArrayBuffer ? new Uint8Array(source) : source;
  return Buffer.concat([bytes as Uint8Array, Buffer.from(text)]);
}

/**
 * Until Node 22.22.3, 24.11.1 and 25.1 a load hook makes `import` load CommonJS packages with a `require` of its own, which has no
 * cache and goes past `Module.prototype.load`; and it cannot say otherwise, as a source is asked for (nodejs/node#59929). The format by
 * which an ES module that was loaded with `require` imports them goes the usual way.
 */
const LOADS_IMPORTED_CJS_ITSELF = isBefore({ 22: [22, 3], 23: [Infinity, 0], 24: [11, 1], 25: [1, 0] });

function isBefore(fixed: Readonly<Record<number, readonly [minor: number, patch: number]>>): boolean {
  const [major = 0, minor = 0, patch = 0] = process.versions.node.split(".").map(Number);
  const [fixedMinor, fixedPatch] = fixed[major] ?? [0, 0];
  return minor < fixedMinor || (minor === fixedMinor && patch < fixedPatch);
}

const loadAsWithoutHooks: LoadHook = (url, context, nextLoad) => {
  // For `require` it is a set.
  if (!Array.from(context.conditions).includes("import")) return nextLoad(url, context);
  let result: Module.LoadFnOutput;
  try {
    result = nextLoad(url, context);
  } catch (error) {
    // The hooks of `module.register` say nothing of a source either.
    if ((error as NodeJS.ErrnoException).code !== "ERR_INVALID_RETURN_PROPERTY_VALUE") throw error;
    result = { format: "commonjs", source: readFileSync(new URL(url), "utf8") };
  }
  return result.format === "commonjs" ? { ...result, format: "commonjs-sync" } : result;
};
