import { startViewer, type Viewer } from "@telltale/viewer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostileShapes } from "./hostile-shapes.js";
import { hostileTexts } from "./hostile-texts.js";
import { TRACES } from "./otlp-json.js";
import { ask, send } from "./send.js";

let viewer: Viewer;
beforeAll(async () => {
  viewer = await startViewer({ port: 0, otlpPort: 0 });
  const nowMs = Date.now();
  for (const post of [...hostileShapes(nowMs), ...hostileTexts(nowMs)]) await send(viewer.otlpUrl, post);
});
afterAll(() => viewer?.close());

interface UiSpan {
  readonly spanID: string;
  readonly processID: string;
  readonly tags: readonly { readonly key: string; readonly type: string; readonly value: unknown }[];
}

const read = async <T>(path: string): Promise<T> => {
  const { status, text } = await ask(viewer.url, path);
  expect({ path, status }).toEqual({ path, status: 200 });
  return JSON.parse(text) as T;
};

// packages/viewer/test/jaeger has what the answers must look like.
test("Jaeger's paths answer for hostile telemetry: every span that is kept, in both forms", async () => {
  const count = viewer.store.db.prepare("SELECT count(*) AS spans FROM span WHERE trace_id = ?");
  for (const name of ["texts", "shapes", "times", "large"] as const) {
    const kept = Number(count.get(TRACES[name])?.["spans"]);
    expect(kept, name).toBeGreaterThan(0);
    const { data } = await read<{ data: { spans: UiSpan[]; processes: object }[] }>(`/api/traces/${TRACES[name]}`);
    const [trace] = data;
    expect(trace?.spans, name).toHaveLength(kept);
    const types: Readonly<Record<string, string>> = {
      string: "string",
      bool: "boolean",
      int64: "number",
      float64: "number",
    };
    for (const { processID, tags } of trace?.spans ?? []) {
      expect(trace?.processes).toHaveProperty(processID);
      expect(tags.filter(({ type, value }) => typeof value !== types[type])).toEqual([]);
    }
    const { result } = await read<{ result: { resourceSpans: { scopeSpans: { spans: object[] }[] }[] } }>(
      `/api/v3/traces/${TRACES[name]}`,
    );
    const spans = result.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
    expect(spans, name).toHaveLength(kept);
  }
});

test("Jaeger's lists and searches answer, whatever services and operations are called", async () => {
  const { data: services } = await read<{ data: string[] }>("/api/services");
  expect(services.length).toBeGreaterThan(1);
  for (const service of services) {
    const name = encodeURIComponent(service);
    const { data: operations } = await read<{ data: string[] }>(`/api/services/${name}/operations`);
    await read(`/api/v3/operations?service=${name}`);
    for (const operation of operations.slice(0, 3)) {
      const query = `service=${name.slice(0, 1_900)}&operation=${encodeURIComponent(operation)}`;
      if (operation.length <= 2_000) await read(`/api/traces?${query}&start=0&limit=5`);
    }
  }
  await read("/api/traces?start=0&end=9000000000000000&limit=1500");
  await read("/api/v3/trace-summaries?query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=2200-01-01T00:00:00Z");
  await read("/api/dependencies?lookback=9000000000000");
});
