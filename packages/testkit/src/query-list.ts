import { relative } from "node:path";
import type { CallSite, DatabaseOperation, DatabaseTemplate } from "@telltale/core";
import { waitFor } from "./wait-for.js";

const MAX_TEXT = 200;
const MAX_SITES = 3;
/** For reading source maps, in ms. */
const SITES_MS = 300;

/** Queries by shape, those that ran most first: how often, what, and from where in the code. */
export async function listQueries(queries: readonly DatabaseOperation[]): Promise<string> {
  await waitFor(
    () => queries.every(({ takenSite, site }) => takenSite === undefined || site !== undefined),
    "sites",
    SITES_MS,
  )
    // Some calls come from no code of the app.
    .catch(() => {});
  const groups = new Map<string, { template: DatabaseTemplate; count: number; sites: Map<string, number> }>();
  for (const { template, site } of queries) {
    const key = `${template.system}\n${template.fingerprint ?? template.querySummary ?? template.operationName}`;
    const group = groups.get(key) ?? { template, count: 0, sites: new Map<string, number>() };
    groups.set(key, group);
    group.count++;
    if (site === undefined) continue;
    const where = describeSite(site);
    group.sites.set(where, (group.sites.get(where) ?? 0) + 1);
  }
  return [...groups.values()]
    .sort((a, b) => b.count - a.count)
    .map(({ template, count, sites }) => {
      const text = template.queryText ?? template.operationName ?? template.system;
      const lines = [...sites]
        .sort(([, a], [, b]) => b - a)
        .map(([site, times]) => `\n      ${describeTimes(times, count)}from ${site}`);
      const more = lines.length > MAX_SITES ? `\n      and ${lines.length - MAX_SITES} more places` : "";
      return `  ${count} × ${cut(text)}${lines.slice(0, MAX_SITES).join("")}${more}`;
    })
    .join("\n");
}

function describeTimes(times: number, of: number): string {
  return times === of ? "" : `${times} × `;
}

/** `src/orders.ts:41:9 (listOrders)`; never behind an `at`, as Jest would take it for a line of a stack. */
export function describeSite({ file, line, column, function: name }: CallSite): string {
  const at = [shortPath(file), line, column].filter((part) => part !== undefined).join(":");
  return name === undefined ? at : `${at} (${name})`;
}

/** From the folder that the tests run in, if it lies there. */
export function shortPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? file : path;
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)} …` : text;
}
