import { type Context, ROOT_CONTEXT } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  addSpanListener,
  contextOf,
  endOperation,
  selfCounters,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { getRequest } from "@telltale/test/requests";
import { template } from "@telltale/test/template";
import { afterEach } from "vitest";
import {
  createSampler,
  createTracerProvider,
  SpanExport,
  type TailKeepOptions,
  type TracerProviderOptions,
} from "../src/index.js";
import { type DecodedSpan, decodeSpans } from "./otlp-decoder.js";

export const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

export const ALL = ["error", "slow", "finding"] as const;
/** What no request of a test takes by chance. */
export const NEVER_MS = 1e9;

export const orders = template({ queryText: "SELECT * FROM orders", poolName: "shop" });

export function served(path: string) {
  return getRequest(path, {
    serverAddress: "shop.example",
    serverPort: 80,
    clientAddress: "10.0.0.1",
    userAgent: "curl/8",
  });
}
export const sent = {
  method: "GET",
  originalMethod: undefined,
  url: "http://pay/",
  serverAddress: "pay",
  serverPort: 80,
};

/** A provider whose operations are heard, and what it exports. */
export function collect(options: Partial<TracerProviderOptions>) {
  const spans: DecodedSpan[] = [];
  const provider = createTracerProvider({
    resource: emptyResource(),
    ...options,
    export: new SpanExport({
      maxQueueSize: 1e6,
      async deliver(request) {
        spans.push(...decodeSpans(request));
        return { ok: true };
      },
    }),
  });
  undo.push(addSpanListener(provider));
  return { provider, spans };
}

/** Nothing is sampled, and what is worth it is kept. */
export function keeping(keep: Partial<TailKeepOptions> = {}, options: Partial<TracerProviderOptions> = {}) {
  return collect({
    sampler: createSampler("parentbased_always_off"),
    keep: { reasons: ALL, slowMs: NEVER_MS, ...keep },
    ...options,
  });
}

export function outcome(value: string): number {
  for (const counter of selfCounters()) {
    if (counter.metric === "telltale.spans" && counter.value === value) return counter.total;
  }
  return 0;
}

export const textOf = (span: DecodedSpan | undefined, name: string) => span?.attributes[name]?.["stringValue"];

interface Quick {
  readonly queries?: number;
  readonly status?: number;
}

export function begin(path = "/") {
  return startHttpServerOperation(served(path), ROOT_CONTEXT);
}

export function query(inside: Context) {
  const operation = startDatabaseOperation(orders, "SELECT 7", [7], inside);
  endOperation(operation);
  return operation;
}

export function end(operation: ReturnType<typeof begin>, status = 200): void {
  operation.statusCode = status;
  if (status >= 500) operation.errorType = String(status);
  endOperation(operation);
}

export function serveOne({ queries = 1, status = 200 }: Quick = {}, path = "/") {
  const operation = begin(path);
  for (let i = 0; i < queries; i++) query(contextOf(operation));
  end(operation, status);
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
