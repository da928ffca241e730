import { atLeast, atMost, type DashboardPlan, type Material, none, plain } from "../panel.js";
import { percent } from "../percent.js";
import type { Label } from "../promql.js";
import { ANSWERED, HIT } from "../lookups.js";

const CACHE: readonly Label[] = ["telltale.cache.name"];
const MISS = { "telltale.cache.result": "=miss" } as const;
const ERROR = { "telltale.cache.result": "=error" } as const;

export function planCaches({ q, slo }: Material): DashboardPlan {
  const { hitRatioWarn, hitRatioPage } = slo.caches;
  const ratio = atLeast(hitRatioPage, hitRatioWarn);
  const cache = `{{${q.label("telltale.cache.name")}}}`;
  const answered = q.rate("cacheLookups", ANSWERED);
  const range = q.over("$__range");
  const rangeAnswered = range.rate("cacheLookups", ANSWERED);
  const requests = q.count("httpServerDuration");

  return {
    uid: "telltale-caches",
    title: "Caches",
    description: "How often caches have what they are asked for. Keys are counted, not calls.",
    variables: ["service", "instance"],
    rows: [
      {
        title: "At a glance",
        panels: [
          {
            type: "stat",
            title: "Hit ratio",
            shows:
              "Share of the keys looked up that were there, all caches together. Failed lookups count neither way.",
            good: `${percent(hitRatioWarn)} and more.`,
            otherwise: "See below which cache it is; the load that misses make shows in Databases.",
            unit: "percentunit",
            steps: ratio,
            width: 6,
            query: { expression: q.share([], q.rate("cacheLookups", HIT), answered), legend: "hit ratio" },
          },
          {
            type: "stat",
            title: "Lookups",
            shows: "Keys looked up per second, all caches together.",
            good: "Follows the number of requests.",
            otherwise: "None at all while there are requests: the cache is off, or its names have changed.",
            unit: "ops",
            steps: plain,
            width: 6,
            query: { expression: q.sum([], q.rate("cacheLookups")), legend: "lookups" },
          },
          {
            type: "stat",
            title: "Misses per request",
            shows: "Keys that were not there, for each request served. Each is work for a database.",
            good: "Well below 1.",
            otherwise: "Keep values longer, keep what is asked for most, or load values for many keys at once.",
            unit: "short",
            steps: atMost(1, 5),
            width: 6,
            query: {
              expression: q.share([], q.rate("cacheLookups", MISS), requests),
              legend: "misses per request",
            },
          },
          {
            type: "stat",
            title: "Failed lookups",
            shows: "Share of lookups that failed: the cache could not be asked.",
            good: "0.",
            otherwise:
              "Errors by query in Databases says with what. Is the cache's server up, and are there connections left?",
            unit: "percentunit",
            steps: atMost(0.001, 0.01),
            width: 6,
            query: {
              expression: q.share([], q.rate("cacheLookups", ERROR), q.rate("cacheLookups")),
              legend: "failed",
            },
          },
        ],
      },
      {
        title: "By cache",
        panels: [
          {
            type: "bars",
            title: "Hit ratio by cache",
            shows: "Hit ratio of each cache in the chosen time.",
            good: `Each at ${percent(hitRatioWarn)} or more.`,
            otherwise:
              "A cache below that costs nearly as much as it saves. Is its time to live too short, or are its keys too many?",
            unit: "percentunit",
            steps: ratio,
            width: 8,
            query: { expression: range.share(CACHE, range.rate("cacheLookups", HIT), rangeAnswered), legend: cache },
          },
          {
            type: "time",
            title: "Hit ratio over time",
            shows: "Hit ratio of each cache.",
            good: "Flat and high.",
            otherwise:
              "A sudden fall is a flush, a restart of the cache or a new form of keys; a slow one is a cache that has become too small; teeth are keys that expire together.",
            unit: "percentunit",
            steps: ratio,
            width: 16,
            queries: [{ expression: q.share(CACHE, q.rate("cacheLookups", HIT), answered), legend: cache }],
          },
          {
            type: "time",
            title: "Lookups by result",
            shows: "Keys looked up per second: hit, miss, stale (there, but too old), error.",
            good: "Nearly all are hits.",
            otherwise:
              "Errors: the cache's server is the matter. Misses that rise with the load: the cache does not keep up.",
            unit: "ops",
            steps: plain,
            width: 8,
            stacked: true,
            queries: [
              {
                expression: q.sum(["telltale.cache.result"], q.rate("cacheLookups")),
                legend: `{{${q.label("telltale.cache.result")}}}`,
              },
            ],
          },
          {
            type: "time",
            title: "Misses per request by cache",
            shows: "Keys of each cache that were not there, for each request served.",
            good: "Well below 1, and flat.",
            otherwise:
              "This is what the database does for the cache. Peaks after a deployment: warm the cache before it takes load.",
            unit: "short",
            steps: atMost(1, 5),
            width: 8,
            queries: [
              {
                expression: `${q.sum(CACHE, q.rate("cacheLookups", MISS))} / scalar(${q.sum([], requests)})`,
                legend: cache,
              },
            ],
          },
          {
            type: "time",
            title: "Lookups by cache",
            shows: "Keys looked up in each cache per second.",
            good: "Follows the number of requests.",
            otherwise: "A cache that is asked far more often than requests come is asked in a loop: use MGET.",
            unit: "ops",
            steps: plain,
            width: 8,
            queries: [{ expression: q.sum(CACHE, q.rate("cacheLookups")), legend: cache }],
          },
          {
            type: "table",
            title: "Caches",
            shows: "Every cache in the chosen time.",
            good: `Hit ratios of ${percent(hitRatioWarn)} and more, no errors.`,
            otherwise: "Begin with the cache that has the most misses per second: there a cure saves most.",
            width: 24,
            rows: [{ label: "telltale.cache.name", title: "Cache" }],
            columns: [
              {
                title: "Misses/s",
                unit: "ops",
                steps: plain,
                expression: range.sum(CACHE, range.rate("cacheLookups", MISS)),
              },
              {
                title: "Lookups/s",
                unit: "ops",
                steps: plain,
                expression: range.sum(CACHE, range.rate("cacheLookups")),
              },
              {
                title: "Hit ratio",
                unit: "percentunit",
                steps: ratio,
                expression: range.share(CACHE, range.rate("cacheLookups", HIT), rangeAnswered),
              },
              {
                title: "Failed",
                unit: "percentunit",
                steps: none,
                expression: range.share(CACHE, range.rate("cacheLookups", ERROR), range.rate("cacheLookups")),
              },
            ],
          },
        ],
      },
    ],
  };
}
