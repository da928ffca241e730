import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createWriter } from "../src/store/create-writer.js";
import { openStore, type Store } from "../src/store/open-store.js";
import { attributes, logs, metrics, span, traces } from "./otlp-builders.js";

let store: Store;
beforeEach(async () => {
  store = await openStore();
});
afterEach(() => store.close());

const column = (query: string) =>
  store.db
    .prepare(query)
    .all()
    .map((row) => Object.values(row)[0]);
const named = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => span({ name: `s${from + i}` }));
const points = (name: string, from: number, to: number, about: Parameters<typeof attributes>[0] = {}) => ({
  name,
  gauge: {
    dataPoints: Array.from({ length: to - from + 1 }, (_, i) => ({ asInt: from + i, attributes: attributes(about) })),
  },
});

test("the oldest rows go as new ones come: in order, and not before", () => {
  const writer = createWriter(store, { spans: 100, logs: 50, points: 20 });
  writer.writeTraces(traces(named(1, 100)));
  expect(writer.counters().spans).toMatchObject({ received: 100, held: 100, forgotten: 0 });
  writer.writeTraces(traces(named(101, 130)));
  expect(writer.counters().spans).toMatchObject({ received: 130, held: 100, maxHeld: 100, forgotten: 30 });
  expect(column("SELECT name FROM span ORDER BY id")).toEqual(Array.from({ length: 100 }, (_, i) => `s${31 + i}`));

  writer.writeLogs(logs(Array.from({ length: 80 }, (_, i) => ({ body: { intValue: i + 1 } }))));
  expect(column("SELECT body FROM log ORDER BY id").at(0)).toBe("31");
  writer.writeMetrics(metrics([points("m", 1, 30)]));
  expect(column("SELECT value FROM point ORDER BY id")).toEqual(Array.from({ length: 20 }, (_, i) => 11 + i));
  expect(writer.counters()).toMatchObject({ logs: { held: 50, forgotten: 30 }, points: { held: 20, forgotten: 10 } });
});

test("one request of more than there is room for keeps its end", () => {
  const writer = createWriter(store, { spans: 1_000 });
  writer.writeTraces(traces(named(1, 5_000)));
  expect(column("SELECT count(*) FROM span")).toEqual([1_000]);
  expect(column("SELECT max(name = 's5000') FROM span")).toEqual([1]);
});

test("bytes are bounded, whatever is sent", () => {
  const maxBytes = 4 * 1024 * 1024;
  const writer = createWriter(store, { bytes: maxBytes });
  const text = "x".repeat(2_000);
  for (let i = 0; i < 30; i += 1) {
    writer.writeTraces(traces(Array.from({ length: 200 }, () => span({ about: { text } }))));
    writer.writeLogs(logs(Array.from({ length: 100 }, () => ({ body: { stringValue: text } }))));
    const { bytes } = writer.counters();
    expect(bytes).toBeLessThanOrEqual(maxBytes);
  }
  const { spans, logs: records } = writer.counters();
  // 4 MiB of rows of a little more than 2,000 bytes, in pages of 4,096.
  expect(spans.held + records.held).toBeGreaterThan(800);
  expect(spans.held).toBeGreaterThan(records.held);
  expect(spans.forgotten + spans.held).toBe(6_000);
});

test("what is too much at the start goes in short steps", () => {
  createWriter(store).writeTraces(traces(named(1, 3_000)));
  const writer = createWriter(store, { spans: 100 });
  let steps = 0;
  // No time at all: the least that a step does.
  while (!writer.tidy(0)) steps += 1;
  expect(steps).toBeGreaterThan(20);
  expect(writer.counters().spans).toMatchObject({ received: 0, held: 100, forgotten: 2_900 });
});

describe("what nothing refers to goes, too", () => {
  test("series without points, and resources without anything", () => {
    const writer = createWriter(store, { points: 6_000, spans: 100 });
    writer.writeMetrics(metrics([points("old", 1, 10)], { "service.name": "old" }));
    writer.writeTraces(traces([span()], { "service.name": "spans only" }));
    const lasting = metrics([points("lasting", 1, 1_000)]);
    for (let i = 0; i < 13; i += 1) writer.writeMetrics(lasting);
    expect(column("SELECT name FROM series")).toEqual(["lasting"]);
    expect(column("SELECT service FROM resource")).toEqual(["spans only", "shop"]);
    // And comes back as if nothing had been.
    writer.writeMetrics(metrics([points("old", 1, 1)], { "service.name": "old" }));
    expect(
      column("SELECT service FROM resource JOIN series ON series.resource_id = resource.id ORDER BY series.id"),
    ).toEqual(["shop", "old"]);
  });

  test("not what was there before the start, and still has points", () => {
    createWriter(store).writeMetrics(metrics([points("before", 1, 10)]));
    const writer = createWriter(store, { spans: 10 });
    for (let i = 0; i < 6; i += 1) writer.writeTraces(traces(named(1, 1_000)));
    expect(column("SELECT name FROM series")).toEqual(["before"]);
    writer.writeMetrics(metrics([points("before", 11, 11)]));
    expect(column("SELECT DISTINCT series_id FROM point")).toHaveLength(1);
  });
});

test("there are so many series and resources at most; what is over is dropped, and counted", () => {
  const writer = createWriter(store, { series: 3, resources: 2 });
  const written = writer.writeMetrics(metrics([1, 2, 3, 4, 5].map((n) => points("m", n, n, { n }))));
  expect(written).toEqual({ accepted: 3, rejected: 2, why: "too many series: no room for another" });
  writer.writeTraces(traces([span()], { "service.name": "second" }));
  const third = writer.writeTraces(traces([span(), span()], { "service.name": "third" }));
  expect(third).toEqual({ accepted: 0, rejected: 2, why: "too many resources: no room for another" });
  expect(writer.counters()).toMatchObject({ points: { dropped: 2 }, spans: { held: 1, dropped: 2 } });
});

test("what could not be written leaves nothing behind", () => {
  const writer = createWriter(store);
  writer.writeTraces(traces(named(1, 10)));
  store.db.exec(
    "CREATE TRIGGER full BEFORE INSERT ON span WHEN new.name = 's20' BEGIN SELECT raise(ABORT, 'full'); END",
  );
  const cut = span({ name: "x".repeat(2_000) });
  expect(() => writer.writeTraces(traces([cut, ...named(11, 20)], { "service.name": "new" }))).toThrow("full");
  store.db.exec("DROP TRIGGER full");
  expect(column("SELECT count(*) FROM resource")).toEqual([1]);
  expect(writer.counters()).toMatchObject({ spans: { received: 10, held: 10 }, cuts: 0 });
  writer.writeTraces(traces(named(11, 20), { "service.name": "new" }));
  expect(column("SELECT count(*) FROM span JOIN resource ON resource.id = resource_id")).toEqual([20]);
});
