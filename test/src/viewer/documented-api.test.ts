import { readFileSync } from "node:fs";
import { startViewer } from "@telltale/viewer";
import { expect, onTestFinished, test } from "vitest";

// The table of docs/viewer.md is what other programs are written against.

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const page = readFileSync(new URL("../../../docs/viewer.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| `GET (\/api\/[^`?]+)\??[^`]*` +\| ([^|]*) \|/gm)].map(
  ([, path = "", fields = ""]) => ({
    path,
    fields: [...fields.matchAll(/`(\w+)`/g)].map(([, field = ""]) => field),
  }),
);

const value = (text: string) => ({ stringValue: text });
const resource = { attributes: [{ key: "service.name", value: value("shop") }] };
const SPAN = {
  traceId: TRACE,
  spanId: "b7ad6b7169203331",
  name: "SELECT orders",
  kind: 3,
  startTimeUnixNano: `${Date.now()}000000`,
  endTimeUnixNano: `${Date.now()}500000`,
  attributes: [
    { key: "db.system.name", value: value("postgresql") },
    { key: "db.query.text", value: value("SELECT * FROM orders") },
  ],
};
const METRIC = { name: "orders", gauge: { dataPoints: [{ asDouble: 3, timeUnixNano: SPAN.endTimeUnixNano }] } };

test("docs/viewer.md names every answer's fields, and no others", async () => {
  const viewer = await startViewer({ port: 0, otlpPort: 0 });
  onTestFinished(() => viewer.close());
  const send = async (path: string, body: object): Promise<void> => {
    const headers = { "content-type": "application/json" };
    const { status } = await fetch(viewer.otlpUrl + path, { method: "POST", headers, body: JSON.stringify(body) });
    expect(status).toBe(200);
  };
  await send("/v1/traces", { resourceSpans: [{ resource, scopeSpans: [{ spans: [SPAN] }] }] });
  await send("/v1/metrics", { resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [METRIC] }] }] });
  const ask = async (path: string) => (await fetch(viewer.url + path)).json() as Promise<Record<string, unknown>>;
  const { queries } = (await ask("/api/queries")) as { queries: { fingerprint: string }[] };
  const named: Record<string, string> = {
    ":traceId": TRACE,
    ":fingerprint": queries[0]?.fingerprint ?? "",
    ":name": "orders",
  };

  expect(rows.length).toBeGreaterThan(10);
  for (const { path, fields } of rows.filter((row) => row.path !== "/api/live")) {
    const answer = await ask(path.replace(/:\w+/, (name) => encodeURIComponent(named[name] ?? name)));
    expect({ path, fields: Object.keys(answer).sort() }).toEqual({ path, fields: fields.toSorted() });
  }
});
