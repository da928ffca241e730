import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { createSkippedReporter } from "./test/src/skipped-reporter.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

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
    include: [
      "packages/*/test/**/*.test.ts",
      "test/src/**/*.test.ts",
      "examples/*/test/**/*.test.ts",
      "bench/test/**/*.test.ts",
    ],
    globalSetup: ["./packages/telltale/bundle.js", "./test/src/fetch-nodes.ts"],
    setupFiles: ["./test/src/end-with-vitest.ts"],
    reporters: ["default", createSkippedReporter()],
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
