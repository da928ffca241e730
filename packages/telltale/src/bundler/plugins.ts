import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { handOver } from "./hand-over.js";

// Plugins by the few members that they use, so that nobody needs a bundler's types to have ours.

export interface EsbuildPlugin {
  readonly name: string;
  setup(build: {
    onLoad(
      options: { filter: RegExp },
      load: (found: { path: string; namespace: string }) => { contents: string; loader: "js" } | undefined,
    ): void;
  }): void;
}

export interface RollupPlugin {
  readonly name: string;
  /** For Vite: before CommonJS is made an ES module. */
  readonly enforce: "pre";
  readonly transform: {
    readonly order: "pre";
    handler(code: string, id: string): { code: string; map: null; moduleSideEffects: true } | undefined;
  };
}

export interface WebpackPlugin {
  apply(compiler: { readonly options: { readonly module: { readonly rules: unknown[] } } }): void;
}

const CODE = /[\\/]node_modules[\\/].*\.[cm]?js$/;

/** For esbuild: makes the libraries that Telltale hears audible in the bundle, to a Telltale that is preloaded or started there. */
export function telltaleEsbuild(): EsbuildPlugin {
  return {
    name: "telltale",
    setup({ onLoad }) {
      onLoad({ filter: CODE }, ({ path, namespace }) => {
        if (namespace !== "file") return undefined;
        const contents = handOver(readFileSync(path, "utf8"), path);
        return contents === undefined ? undefined : { contents, loader: "js" };
      });
    },
  };
}

/** The same for Rollup, Rolldown and Vite. */
export function telltaleRollup(): RollupPlugin {
  return {
    name: "telltale",
    enforce: "pre",
    transform: {
      order: "pre",
      handler(given, id) {
        const code = CODE.test(id) ? handOver(given, id) : undefined;
        return code === undefined ? undefined : { code, map: null, moduleSideEffects: true };
      },
    },
  };
}

/** The same for webpack 5, and for what takes its plugins. */
export function telltaleWebpack(): WebpackPlugin {
  const loader = createRequire(import.meta.url).resolve("telltale/webpack-loader");
  const include = (file: string): boolean => CODE.test(file) && handOver("", file) !== undefined;
  return {
    apply({ options }) {
      options.module.rules.push({ include, enforce: "pre", sideEffects: true, use: loader });
    },
  };
}
