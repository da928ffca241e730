import type { Guard } from "./guard.js";
import type { LoadedModule } from "./module-hook.js";
import { replaceMethod } from "./replace-method.js";

/** Where bundles that were made with `telltale/bundler` put the libraries that are part of them, as these are evaluated. */
const BUNDLED = Symbol.for("telltale.bundled");

const globals = globalThis as { [BUNDLED]?: LoadedModule[] };

/** Calls `hear` for each library of a bundle, those that are there already included. Returns what ends that. */
export function hearBundles(hear: (module: LoadedModule) => void, guard: Guard): () => void {
  const bundled = (globals[BUNDLED] ??= []);
  const tell = (module: LoadedModule): void => {
    if (!guard.on) return;
    try {
      hear(module);
    } catch (error) {
      guard.failed(error);
    }
  };
  const restore = replaceMethod<(module: LoadedModule) => number>(
    bundled,
    "push",
    (find) =>
      function push(this: unknown, module) {
        const result = Reflect.apply(find(), this, [module]) as number;
        tell(module);
        return result;
      },
  );
  for (const module of bundled) tell(module);
  return restore;
}
