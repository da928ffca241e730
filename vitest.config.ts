import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import { createSkippedReporter } from "./test/src/skipped-reporter.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const everything = [
  "packages/*/test/**/*.test.ts",
  "test/src/**/*.test.ts",
  "examples/*/test/**/*.test.ts",
  "bench/test/**/*.test.ts",
];
/** They hold the clock against how late timers fire, how long others wait and what a page costs: nothing else may run meanwhile. */
const alone = [
  "packages/insights/test/event-loop.test.ts",
  "packages/metrics/test/runtime-metrics.test.ts",
  "packages/telltale/test/metrics-page.test.ts",
  "packages/tracing/test/event-loop.test.ts",
  "test/src/baseline.test.ts",
  "test/src/insights/caches.test.ts",
  "test/src/insights/holders.test.ts",
  "test/src/insights/mariadb.test.ts",
  "test/src/insights/why.test.ts",
  "test/src/insights/why-mariadb.test.ts",
  "test/src/span-processor.test.ts",
  "test/src/startup.test.ts",
];
/** With TELLTALE_NODES, those that start programs on these Nodes: to all others it makes no difference. */
const wanted = (files: string[]) =>
  process.env["TELLTALE_NODES"]
    ? globSync(files).filter((path) => /testNodes\(|serviceWays\(/.test(readFileSync(path, "utf8")))
    : files;

// Tests inside this process run the sources, all from one copy; programs that tests start run what `npm run build` made, with the
// preload bundled anew.
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@telltale\/test\/(configuration|servers)$/, replacement: source("./test/src/$1/index.ts") },
      { find: /^@telltale\/test\/([a-z-]+)$/, replacement: source("./test/src/$1.ts") },
      { find: /^@telltale\/testkit\/([a-z-]+)$/, replacement: source("./packages/testkit/src/$1.ts") },
      { find: /^@telltale\/([a-z0-9-]+)$/, replacement: source("./packages/$1/src/index.ts") },
      { find: /^telltale$/, replacement: source("./packages/telltale/src/index.ts") },
    ],
  },
  test: {
    globalSetup: ["./packages/telltale/bundle.js", "./test/src/fetch-nodes.ts"],
    setupFiles: ["./test/src/end-with-vitest.ts"],
    reporters: ["default", createSkippedReporter()],
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Most of the time tests wait for servers and programs: vitest's own default, a core less, leaves two cores idle.
    maxWorkers: availableParallelism(),
    projects: [
      {
        extends: true,
        test: { name: "together", include: wanted(everything), exclude: [...configDefaults.exclude, ...alone] },
      },
      { extends: true, test: { name: "alone", include: wanted(alone), maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
