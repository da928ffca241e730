import { createRequire } from "node:module";
import { enabledInstrumentations } from "@telltale/core";

const { cache } = createRequire(import.meta.url);
const EARLIER =
  "start Telltale earlier: in a setup file that is named before all others, or with --require telltale/register";

/** What keeps Telltale from hearing the libraries of this process, a sentence; undefined where nothing does. */
export function whyUnheard(): string | undefined {
  const instrumentations = [...enabledInstrumentations()];
  if (instrumentations.length === 0) {
    return Symbol.for("telltale.running") in globalThis
      ? "Telltale runs in this process, but with another copy of @telltale/core than this testkit: install one version of both, and leave them out of bundles"
      : `Telltale does not run in this process: ${EARLIER}`;
  }
  const refused = instrumentations.flatMap(({ seen }) => [...seen].filter(([, { patched }]) => !patched));
  const [because] = refused.map(([name, { version, why }]) => why ?? `${name} ${version} is not instrumented`);
  if (because !== undefined) return because;
  const late = instrumentations
    .flatMap(({ modules, seen }) => modules.filter((name) => !seen.has(name)))
    .filter(isLoaded);
  if (late.length === 0) return undefined;
  return `${late.join(" and ")} ${late.length === 1 ? "was" : "were"} loaded before Telltale, or by another require than Node's: what goes through there is not seen. Either ${EARLIER}; or, under Jest, call showModules(require, ${JSON.stringify(late)}) in a setup file`;
}

/** What is heard, for a message that nothing was: `pg 8.23.1`. */
export function heardLibraries(): string[] {
  return [...enabledInstrumentations()].flatMap(({ seen }) =>
    [...seen].filter(([, { patched }]) => patched).map(([name, { version }]) => `${name} ${version}`),
  );
}

/** A package that `require` or `import` has loaded as CommonJS, in whatever copy. */
function isLoaded(name: string): boolean {
  const folder = new RegExp(`[\\\\/]node_modules[\\\\/]${name}[\\\\/]`);
  return Object.keys(cache).some((file) => folder.test(file));
}
