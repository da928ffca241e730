import type { Micro } from "./micro.js";

/** What is measured; a new group is a file that returns its benchmarks, and a line here. Each runs in a process of its own. */
export const GROUPS: Readonly<Record<string, () => Promise<Micro[]>>> = {
  spans: async () => (await import("./spans.js")).spans(),
  encode: async () => (await import("./encode.js")).encode(),
  operations: async () => (await import("./operations.js")).operations(),
  keep: async () => (await import("./keep.js")).keep(),
  context: async () => (await import("./contexts.js")).contexts(),
  queries: async () => (await import("./queries.js")).queries(),
  insights: async () => (await import("./insights.js")).insights(),
  caches: async () => (await import("./caches.js")).caches(),
  pools: async () => (await import("./pools.js")).pools(),
  histogram: async () => (await import("./histogram.js")).histogram(),
  scrape: async () => (await import("./scrape.js")).scrape(),
};
