import { relative } from "node:path";

/** A reporter of node:test: a line of JSON for each test, with the names of all that it is nested in. */
// oxlint-disable-next-line import/no-default-export -- that is what node:test loads
export default async function* report(events) {
  const names = [];
  for await (const { type, data } of events) {
    if (type === "test:start") names[data.nesting] = data.name;
    if (type !== "test:pass" && type !== "test:fail") continue;
    const path = [...names.slice(0, data.nesting), data.name];
    if (data.file !== undefined && path[0] !== data.file) path.unshift(relative(process.cwd(), data.file));
    const state = skipped(data) ? "skipped" : type === "test:pass" ? "passed" : "failed";
    const error = data.details?.error;
    yield `${JSON.stringify({ name: path.join(" > "), state, error: String(error?.cause?.stack ?? error?.message ?? "") })}\n`;
  }
}

/** A test to be done may fail. */
function skipped({ skip, todo }) {
  return (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false);
}
