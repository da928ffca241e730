import type { CacheItem, Caches } from "../../api/answers.js";
import { MINUTES, SERVICE } from "../arguments.js";
import { clean } from "../clean.js";
import { percent } from "../describe-time.js";
import { inputSchema } from "../input-schema.js";
import { defineTool } from "../tool.js";
import { describeShortly } from "./findings.js";

export const listCaches = defineTool({
  name: "list_caches",
  title: "Caches",
  description:
    "Lists the caches: hit ratio, lookups, misses a request, the patterns of keys looked up most, and what was found wrong with them.",
  inputSchema: inputSchema({ service: SERVICE, minutes: MINUTES }),
  async call({ service, minutes }, ask) {
    const { caches } = (await ask(["caches"], { service, minutes })) as Caches;
    const shown = caches.slice(0, 50);
    return {
      heading:
        caches.length === 0
          ? `No cache was looked up in the last ${minutes} minutes.`
          : `${shown.length} of ${caches.length} caches.`,
      lines: shown.flatMap(describeCache),
      data: { caches: shown.map(summarize) },
    };
  },
});

function describeCache(cache: CacheItem): string[] {
  const { hits, misses, hitRatio, missesPerRequest } = cache;
  const ratio = hitRatio === null ? "no lookups" : `hit ratio ${percent(hitRatio)}`;
  const each = missesPerRequest === null ? "" : ` · ${missesPerRequest.toFixed(2)} misses a request`;
  return [
    `${clean(cache.service, 80)} ${clean(cache.cache, 80)}: ${ratio} · ${hits} hits, ${misses} misses${each}`,
    ...cache.patterns
      .slice(0, 8)
      .map(({ pattern, lookups, misses }) => `  ${clean(pattern, 160)} · ${lookups} lookups, ${misses} misses`),
    ...cache.findings.slice(0, 5).flatMap((finding) => describeShortly(finding).map((line) => `  ${line}`)),
  ];
}

/** Without what is over time. */
function summarize({
  service,
  cache,
  hits,
  misses,
  hitRatio,
  missesPerRequest,
  patterns,
  findings,
}: CacheItem): object {
  return {
    service,
    cache,
    hits,
    misses,
    hitRatio,
    missesPerRequest,
    patterns: patterns.slice(0, 20),
    findings: findings.map(({ id, kind, title }) => ({ id, kind, title })),
  };
}
