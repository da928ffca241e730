import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { template } from "@telltale/test/template";
import { expect, test } from "vitest";
import { annotateOperation, endOperation, failOperation, startDatabaseOperation } from "../src/operation.js";
import { addSpanListener } from "../src/spans.js";

test("a query is a client span with the names of the conventions", () => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const stops = [addSpanListener(provider), addSpanListener(provider)];
  const before = Date.now();
  const operation = startDatabaseOperation(template({ poolName: "main" }), undefined, undefined);
  operation.rows = 3;
  operation.statusCode = "57014";
  annotateOperation(operation, "telltale.slow.reason", "threshold");
  failOperation(operation, Object.assign(new Error("canceled"), { code: "57014" }));
  endOperation(operation);
  for (const stop of stops) stop();
  endOperation(startDatabaseOperation(template(), undefined, undefined));

  const spans = exporter.getFinishedSpans();
  expect(spans).toHaveLength(1);
  expect(spans[0]).toMatchObject({
    name: "SELECT orders",
    kind: SpanKind.CLIENT,
    status: { code: SpanStatusCode.ERROR, message: "canceled" },
    attributes: {
      "db.system.name": "postgresql",
      "db.namespace": "shop",
      "db.operation.name": "SELECT",
      "db.collection.name": "orders",
      "db.query.summary": "SELECT orders",
      "db.query.text": "SELECT * FROM orders WHERE id = $1",
      "db.client.connection.pool.name": "main",
      "server.address": "db.example",
      "server.port": 5432,
      "db.response.returned_rows": 3,
      "db.response.status_code": "57014",
      "error.type": "57014",
      "telltale.slow.reason": "threshold",
    },
  });
  const startedMs = (spans[0]?.startTime[0] ?? 0) * 1000 + (spans[0]?.startTime[1] ?? 0) / 1e6;
  expect(Math.abs(startedMs - before)).toBeLessThan(100);
});

test("an error whose message cannot be read, or is no text, fails a span without one", () => {
  const unreadable = Object.defineProperty(new Error("never"), "message", {
    get() {
      throw new Error("not to be read");
    },
  });
  const noText = Object.assign(new Error("never"), { message: 42 });
  const exporter = new InMemorySpanExporter();
  const stop = addSpanListener(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  for (const error of [unreadable, noText]) {
    const operation = startDatabaseOperation(template(), undefined, undefined);
    failOperation(operation, error);
    endOperation(operation);
  }
  stop();
  expect(exporter.getFinishedSpans().map(({ status }) => status)).toEqual([
    { code: SpanStatusCode.ERROR },
    { code: SpanStatusCode.ERROR },
  ]);
});
