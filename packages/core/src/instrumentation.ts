import { createGuard, type Guard } from "./guard.js";
import type { TracerProvider } from "@opentelemetry/api";
import { type LoadedModule, modulesLoadedEarlier, onModuleLoad } from "./module-hook.js";
import { say, sayOnce, textOf } from "./say.js";
import { addSpanListener } from "./spans.js";
import { undoAll } from "./undo.js";
import { VERSION } from "./version.js";

/** A library that an instrumentation patches when it loads. */
export interface InstrumentedModule {
  /** Package name, as in `require("pg")`. */
  readonly module: string;
  /** Supported major versions, oldest and newest; outside of them the library is left alone and one line says so. */
  readonly majors: readonly [oldest: number, newest: number];
  /** What its calls have for `library`; while none of these was heard, it counts as silent. Default: none are told. */
  readonly calls?: string;
  /** Files of the package that apps load instead of its main module, and that do not load it: `["promise.js"]`. */
  readonly others?: readonly string[];
  /**
   * What `patch` changes, by which a copy is known: a main module that is loaded again may hand out the same one. Default: its exports.
   */
  target?(exports: unknown, loaded: LoadedModule): object;
  /** What `patch` takes with `requireInner`: a bundler has to be told of it. Not every version needs to have all of them. */
  readonly inner?: readonly string[];
  /**
   * Patches the library in place (prototypes, not the exports object: importers of ES modules have already bound that).
   * Returns what undoes it. Whoever finds, then or later, that this copy is not heard calls `refuse` with the line that says why.
   */
  patch(loaded: LoadedModule, guard: Guard, refuse: (why: string) => void): () => void;
}

/** One driver family that Telltale hears. */
export interface InstrumentationDefinition {
  /** The word that turns it off in the configuration, and that the start-up line shows: `pg`. */
  readonly name: string;
  /** Libraries to patch as they load. */
  readonly modules: readonly InstrumentedModule[];
  /** What needs no library: built-in modules, diagnostics channels. Returns what undoes it. */
  enable?(guard: Guard): () => void;
}

/** A library, the majors that are instrumented, oldest and newest, and its files that matter. */
export type SupportedModule = Pick<InstrumentedModule, "module" | "majors" | "others" | "inner" | "calls">;

/** A library of this process, and what became of it. */
export interface SeenModule {
  readonly name: string;
  readonly version: string;
  /** `late`: loaded before Telltale, and not patched. */
  readonly state: "patched" | "unsupported" | "failed" | "late";
  /** What its calls have for `library`, where they are told. */
  readonly calls: string | undefined;
}

/** What `enable` of a definition came to. */
export interface InstrumentationState {
  readonly name: string;
  /** Libraries that it patches. */
  readonly modules: readonly string[];
  /** The same libraries, with their supported major versions and how they are patched. */
  readonly supports: readonly InstrumentedModule[];
  /** Libraries seen so far, with their version and whether they were patched. */
  readonly seen: ReadonlyMap<string, { readonly version: string; readonly patched: boolean; readonly why?: string }>;
}

/**
 * An instrumentation. The first members are those of `@opentelemetry/instrumentation`'s `Instrumentation`, so that it can be
 * handed to a plain `NodeSDK` beside `telltaleListeners`.
 */
export interface Instrumentation {
  readonly instrumentationName: string;
  readonly instrumentationVersion: string;
  readonly state: InstrumentationState;
  enable(): void;
  /**
   * Restores every patched function and stops listening to channels; patched again by the next `enable`. What has begun still ends: that of
   * http is restored when no request is open any more.
   */
  disable(): void;
  setTracerProvider(provider: unknown): void;
  setMeterProvider(provider: unknown): void;
  setConfig(config: { enabled?: boolean }): void;
  getConfig(): { enabled?: boolean };
}

const enabled = new Set<InstrumentationState>();

/** The instrumentations of this process that are on. */
export function enabledInstrumentations(): Iterable<InstrumentationState> {
  return enabled;
}

const earlier = new Map<string, SeenModule>();

/** Finds the libraries that were loaded before they could be patched, says of each in a line what to do, and returns them. */
export function sayLateModules(): readonly SeenModule[] {
  for (const { name, version } of modulesLoadedEarlier()) {
    earlier.set(name, { name, version, state: "late", calls: undefined });
    sayOnce(
      "info",
      `${name} ${version} was loaded before Telltale: what goes through it is not seen; put --require telltale/register before other preloads, or start() into a file of its own that is imported first`,
    );
  }
  return [...earlier.values()];
}

/** The libraries of this process that instrumentations know; the last copy of each that was loaded, so there are never more than these. */
export function* seenModules(): Iterable<SeenModule> {
  for (const { seen, supports } of enabled) {
    for (const [name, { version, patched, why }] of seen) {
      const calls = supports.find(({ module }) => module === name)?.calls;
      yield { name, version, state: patched ? "patched" : why === FAILED ? "failed" : "unsupported", calls };
    }
  }
  for (const late of earlier.values()) yield late;
}

const FAILED = "patching it failed";

/** Whether a version of a library is instrumented: a line that says why not, or undefined. */
export function whyUnsupported(
  { module, majors: [oldest, newest] }: SupportedModule,
  version: string,
): string | undefined {
  const major = Number.parseInt(version, 10);
  if (major >= oldest && major <= newest) return undefined;
  const range = oldest === newest ? `${oldest}.x` : `${oldest}.x to ${newest}.x`;
  return `${module} ${version} is not instrumented: supported is ${range}`;
}

/** Makes an instrumentation of a definition: patches what loads (and what has loaded), refuses unknown majors, can be undone. */
export function defineInstrumentation(definition: InstrumentationDefinition): Instrumentation {
  const seen = new Map<string, { version: string; patched: boolean; why?: string }>();
  const state = {
    name: definition.name,
    modules: definition.modules.map(({ module }) => module),
    supports: definition.modules,
    seen,
  };
  let undo: (() => void)[] | undefined;
  let removeSpans: (() => void) | undefined;

  function disable(): void {
    const steps = [() => removeSpans?.(), ...(undo ?? [])];
    undo = undefined;
    enabled.delete(state);
    try {
      undoAll(steps);
    } catch (error) {
      say(
        "error",
        `${definition.name} instrumentation was not undone everywhere; the app is not affected. Please report this: ${textOf(error)}`,
      );
    }
    removeSpans = undefined;
  }

  function enable(): void {
    if (undo !== undefined) return;
    const steps: (() => void)[] = [];
    undo = steps;
    enabled.add(state);
    const guard = createGuard(`${definition.name} instrumentation`, disable);
    const patched = new WeakSet<object>();
    try {
      const stop = definition.enable?.(guard);
      if (stop !== undefined) steps.push(stop);
    } catch (error) {
      guard.failed(error);
    }
    for (const wanted of definition.modules) {
      const hear = (loaded: LoadedModule): void => {
        if (undo !== steps) return;
        const { version } = loaded;
        const see = (why?: string): void => {
          seen.set(wanted.module, { version, patched: why === undefined, ...(why !== undefined && { why }) });
        };
        const refuse = (why: string): void => {
          see(why);
          sayOnce("info", why);
        };
        const why = whyUnsupported(wanted, version);
        if (why !== undefined) {
          refuse(why);
          return;
        }
        see();
        try {
          const target = wanted.target?.(loaded.exports, loaded) ?? (loaded.exports as object);
          if (patched.has(target)) return;
          patched.add(target);
          steps.push(wanted.patch(loaded, guard, refuse));
          say("debug", `${wanted.module} ${version} loaded and instrumented`);
        } catch (error) {
          see(FAILED);
          guard.failed(error);
        }
      };
      steps.push(onModuleLoad(wanted.module, hear, wanted.others));
    }
  }

  return {
    instrumentationName: `@telltale/instrumentation-${definition.name}`,
    instrumentationVersion: VERSION,
    state,
    enable,
    disable,
    setTracerProvider(provider) {
      removeSpans?.();
      removeSpans = addSpanListener(provider as TracerProvider);
    },
    setMeterProvider() {
      // Metrics are a MetricProducer given to the SDK's readers, see @telltale/metrics.
    },
    setConfig(config) {
      if (config.enabled === false) disable();
    },
    getConfig: () => ({ enabled: undo !== undefined }),
  };
}

/** What has to be known of an instrumentation to wait for its libraries. */
export interface InstrumentationOutline {
  readonly name: string;
  readonly supports: readonly SupportedModule[];
}

/** An instrumentation whose code is read, by `load`, when a library loads that it patches. */
export function deferInstrumentation(outline: InstrumentationOutline, load: () => Instrumentation): Instrumentation {
  let read: readonly InstrumentedModule[] | undefined;
  const find = (name: string): InstrumentedModule => {
    const found = (read ??= load().state.supports).find(({ module }) => module === name);
    if (found === undefined) throw new Error(`${outline.name} does not patch ${name}`);
    return found;
  };
  return defineInstrumentation({
    name: outline.name,
    modules: outline.supports.map((supported) => ({
      ...supported,
      target(exports, loaded) {
        const { target } = find(supported.module);
        return target === undefined ? (exports as object) : target(exports, loaded);
      },
      patch: (...hears) => find(supported.module).patch(...hears),
    })),
  });
}
