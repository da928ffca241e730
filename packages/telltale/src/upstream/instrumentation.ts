import { createRequire } from "node:module";
import { join } from "node:path";
import { types } from "node:util";
import {
  defineInstrumentation,
  type Instrumentation,
  type LoadedModule,
  type LoadingModule,
  onFileLoad,
  sayOnce,
} from "@telltale/core";
import type { ForeignInstrumentation } from "../config/options.js";
import { type InstalledUpstream, packageOf, whyApart } from "./find.js";
import { UPSTREAM, type Upstream } from "./known.js";

/** What `InstrumentationBase` of `@opentelemetry/instrumentation` is made of, in all of its versions. */
interface InstrumentationBase extends ForeignInstrumentation {
  readonly _modules?: readonly ModuleDefinition[];
  /** Patches where name and version are those of the definition; `folder` is that of the library. */
  _onRequire?(definition: ModuleDefinition, exports: unknown, name: string, folder: string): unknown;
}

/** A module that it patches; the exports are there when that was done. */
interface ModuleDefinition {
  readonly name: string;
  readonly moduleExports?: unknown;
  readonly files?: readonly { readonly moduleExports?: unknown }[];
}

/**
 * Hears libraries through the instrumentation that the user has installed, which is loaded when the first file of such a library is, and
 * given our providers by `connect`.
 *
 * Upstream listens to `require`, which was entered before it could hear this one, and to `import` only with a loader. So each file is
 * required once more when it has run: this is answered from the cache, and upstream sees it then.
 */
export function upstreamInstrumentation(
  installed: InstalledUpstream,
  connect: (instrumentation: ForeignInstrumentation) => void,
): Instrumentation {
  const { libraries, inner = [] }: Upstream = UPSTREAM[installed.name];
  const title = `${installed.package} ${installed.version}`;
  let instance: InstrumentationBase | undefined;
  let failure: string | undefined;
  let isOn = false;

  function begin(): void {
    if (isOn || failure !== undefined) return;
    // Before anything of it is loaded: it may load others that it patches.
    isOn = true;
    try {
      instance ??= create(installed, connect);
      instance.enable();
    } catch (error) {
      failure = messageOf(error);
      isOn = false;
      sayOnce("info", `${title} is not used: ${failure}`);
    }
  }

  function after(module: LoadingModule, file: string): void {
    if (!isOn || types.isModuleNamespaceObject(module.exports)) return;
    try {
      // Another hook of the app's own may have put something else in place.
      const patched: unknown = createRequire(file)(file);
      if (patched !== module.exports) module.exports = patched;
    } catch (error) {
      sayOnce("info", `${title} failed on a file of ${installed.name}, the app is not affected: ${messageOf(error)}`);
    }
  }

  function patch(loaded: LoadedModule, refuse: (why: string) => void): () => void {
    const { name, version, exports } = loaded;
    begin();
    const what = `${name} ${version} is not heard through ${title}`;
    if (instance === undefined || failure !== undefined) {
      refuse(`${what}: ${failure}`);
      return () => {};
    }
    const used = instance;
    try {
      if (types.isModuleNamespaceObject(exports)) patchNamespace(used, loaded);
    } catch (error) {
      refuse(`${what} where it is loaded as an ES module: ${messageOf(error)}`);
      return () => {};
    }
    // Those that are required are patched when `require` returns.
    queueMicrotask(() => {
      if (hasPatched(used, name)) sayOnce("info", `${name} ${version} is heard through ${title}`);
      else refuse(`${what}, which does not know this version`);
    });
    return () => {};
  }

  return defineInstrumentation({
    name: installed.name,
    modules: libraries.map((module) => ({
      module,
      majors: [0, Infinity],
      patch: (loaded, _guard, refuse) => patch(loaded, refuse),
    })),
    enable() {
      const stops = [...libraries, ...inner].map((name) => onFileLoad(name, { before: begin, after }));
      return () => {
        for (const stop of stops) stop();
        if (!isOn) return;
        isOn = false;
        instance?.disable();
      };
    },
  });
}

function create(
  installed: InstalledUpstream,
  connect: (instrumentation: ForeignInstrumentation) => void,
): InstrumentationBase {
  const why = whyApart(installed);
  if (why !== undefined) throw new Error(why);
  const exports = createRequire(join(installed.folder, "index.js"))(installed.folder) as Record<string, unknown>;
  const Instrumentation = Object.values(exports).find(isInstrumentation);
  if (Instrumentation === undefined) throw new Error("it exports no instrumentation");
  const instance = new Instrumentation();
  connect(instance);
  return instance;
}

function isInstrumentation(value: unknown): value is new () => InstrumentationBase {
  return typeof value === "function" && ["init", "enable"].every((name) => name in (value.prototype ?? {}));
}

/** As upstream's hook of `import` would; this reaches what is patched on prototypes, not what ES modules export themselves. */
function patchNamespace(instance: InstrumentationBase, { name, file, exports }: LoadedModule): void {
  const folder = packageOf(file, name)?.folder;
  if (folder === undefined) return;
  for (const definition of instance._modules ?? []) {
    if (definition.name === name) instance._onRequire?.(definition, exports, name, folder);
  }
}

/** Whether it has patched something of a library; what cannot be known is taken for a yes. */
function hasPatched({ _modules: definitions }: InstrumentationBase, library: string): boolean {
  const own = definitions?.filter(({ name }) => name === library) ?? [];
  if (own.length === 0) return true;
  return own.some(
    ({ moduleExports, files = [] }) =>
      moduleExports !== undefined || files.some((file) => file.moduleExports !== undefined),
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : String(error);
}
