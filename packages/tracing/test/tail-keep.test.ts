import {
  type Context,
  defaultTextMapSetter,
  type Link,
  ROOT_CONTEXT,
  SpanKind,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  contextOf,
  endOperation,
  failOperation,
  keepForFinding,
  startDatabaseOperation,
  startHttpClientOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { type Arbitrary, array, assert, asyncProperty, boolean, constantFrom, letrec, oneof, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { type EngineTracerProvider, type TailKeepOptions, type TracerProviderOptions } from "../src/index.js";
import { type DecodedSpan } from "./otlp-decoder.js";
import { undo, ALL, orders, served, sent, collect, keeping, textOf } from "./keeping.js";

/** One step of a request; what is inside of others runs in their context. */
type Step =
  | { readonly does: "query"; readonly fails: boolean; readonly found: boolean }
  | { readonly does: "send"; readonly status: number }
  | {
      readonly does: "trace";
      readonly kind: SpanKind;
      readonly inside: readonly Step[];
      readonly outlives: boolean;
      readonly links: readonly Link[];
    }
  | { readonly does: "wait" };

interface Plan {
  readonly parent: "none" | "sampled" | "not sampled";
  readonly status: number;
  readonly route: string | undefined;
  readonly steps: readonly Step[];
  /** What comes after the request has ended. */
  readonly later: readonly Step[];
}

const link = { context: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 } };
const { step } = letrec<{ step: Step }>((tie) => ({
  step: oneof(
    { maxDepth: 3 },
    record({ does: constantFrom("query" as const), fails: boolean(), found: constantFrom(false, false, false, true) }),
    record({ does: constantFrom("send" as const), status: constantFrom(200, 404) }),
    record({ does: constantFrom("wait" as const) }),
    record({
      does: constantFrom("trace" as const),
      kind: constantFrom(SpanKind.INTERNAL, SpanKind.CLIENT, SpanKind.SERVER),
      inside: array(tie("step"), { maxLength: 4 }),
      outlives: boolean(),
      links: constantFrom<readonly Link[]>([], [link]),
    }),
  ),
}));
const plan: Arbitrary<Plan> = record({
  parent: constantFrom("none", "sampled", "not sampled"),
  status: constantFrom(200, 200, 500),
  route: constantFrom(undefined, "/orders/:id"),
  steps: array(step, { maxLength: 6 }),
  later: array(step, { maxLength: 2 }),
});

/** Where a request came from; of those that come from elsewhere the trace tells which it was. */
function cameFrom({ parent }: Plan, index: number): Context {
  if (parent === "none") return ROOT_CONTEXT;
  const traceId = (index + 1).toString(16).padStart(32, "0");
  const traceFlags = parent === "sampled" ? 1 : 0;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: "b7ad6b7169203331", traceFlags, isRemote: true });
}

const headersFrom = (context: Context): Record<string, string> => {
  const headers: Record<string, string> = {};
  new W3CTraceContextPropagator().inject(context, headers, defaultTextMapSetter);
  return headers;
};

interface Performed {
  found: boolean;
  /** `traceparent` as it was sent. */
  readonly headers: string[];
}

/** Serves a request; `await`s give others their turn, at the same places in every run. */
async function serve(request: Plan, index: number, provider: TracerProvider, parent: Context): Promise<Performed> {
  const tracer = provider.getTracer("app");
  const performed: Performed = { found: false, headers: [] };
  const last: (() => void)[] = [];
  const operation = startHttpServerOperation(served(`/${index}`), parent);

  async function run(steps: readonly Step[], inside: Context): Promise<void> {
    for (const each of steps) {
      if (each.does === "wait") await undefined;
      else if (each.does === "query") {
        const query = startDatabaseOperation(orders, "SELECT 7", [7], inside);
        await undefined;
        if (each.fails) failOperation(query, new TypeError("bad"));
        if (each.found) {
          keepForFinding(query);
          if (operation.endMs === 0) performed.found = true;
        }
        endOperation(query);
      } else if (each.does === "send") {
        const sending = startHttpClientOperation(sent, inside);
        performed.headers.push(headersFrom(contextOf(sending))["traceparent"] ?? "none");
        await undefined;
        sending.statusCode = each.status;
        endOperation(sending);
      } else {
        const { kind, links } = each;
        const span = tracer.startSpan("work", { kind, attributes: { tier: "gold" }, links: [...links] }, inside);
        const within = trace.setSpan(inside, span);
        performed.headers.push(headersFrom(within)["traceparent"] ?? "none");
        await run(each.inside, within);
        span.addEvent("done", { steps: each.inside.length });
        if (each.outlives) last.push(() => span.end());
        else span.end();
      }
    }
  }

  await run(request.steps, contextOf(operation));
  operation.statusCode = request.status;
  if (request.status >= 500) operation.errorType = String(request.status);
  if (operation.request !== undefined) operation.request.route = request.route;
  endOperation(operation);
  await run(request.later, contextOf(operation));
  for (const end of last) end();
  return performed;
}

/** All requests at once. */
async function serveAll(requests: readonly Plan[], provider: EngineTracerProvider, sampledOnly: boolean) {
  const performed = await Promise.all(
    requests.map((request, index) =>
      serve(
        request,
        index,
        provider,
        cameFrom(sampledOnly ? { ...request, parent: asSampled(request) } : request, index),
      ),
    ),
  );
  await provider.forceFlush();
  for (const step of undo.splice(0)) step();
  return performed;
}
const asSampled = ({ parent }: Plan) => (parent === "none" ? "none" : "sampled");

/** By request, in the order in which they were exported: without times and reasons, ids as places in that order. */
function byRequest(spans: readonly DecodedSpan[]): Map<unknown, unknown[]> {
  const traces = new Map<string, DecodedSpan[]>();
  for (const span of spans) traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span]);
  return new Map(
    [...traces.values()].map((each) => {
      // A batch has them by scope.
      const own = each.toSorted((a, b) => a.scope.name.localeCompare(b.scope.name));
      const root = own.find((span) => textOf(span, "url.path") !== undefined);
      const places = new Map(own.map((span, place) => [span.spanId, place]));
      const comparable = own.map((span) => {
        const { "telltale.kept": _, ...attributes } = span.attributes;
        const parentSpanId = places.get(span.parentSpanId) ?? span.parentSpanId;
        const events = span.events.map((event) => Object.assign({}, event, { timeUnixNano: undefined }));
        const changed = { parentSpanId, attributes, events, traceId: 0, spanId: 0 };
        return Object.assign({}, span, changed, { startTimeUnixNano: 0, endTimeUnixNano: 0 });
      });
      return [textOf(root, "url.path"), comparable];
    }),
  );
}

const reasonSets = constantFrom<TailKeepOptions["reasons"]>(ALL, ["error"], ["finding"], ["slow"]);

describe("what is kept is what full sampling exports", () => {
  test.each<[string, Partial<TracerProviderOptions>]>([
    ["without the API", {}],
    // Fewer than an operation may have by itself.
    ["through the API", { spanLimits: { attributeCountLimit: 63 } }],
  ])("%s", async (_, options) => {
    let kept = 0;
    let thrownAway = 0;
    await assert(
      asyncProperty(array(plan, { minLength: 1, maxLength: 5 }), reasonSets, async (requests, reasons) => {
        const full = collect(options);
        await serveAll(requests, full.provider, true);
        const tail = keeping({ reasons, perSecond: Infinity }, options);
        const performed = await serveAll(requests, tail.provider, false);

        const expected = byRequest(full.spans);
        for (const [index, { parent, status }] of requests.entries()) {
          const isFailed = status >= 500 && reasons.includes("error");
          const isFound = performed[index]?.found === true && reasons.includes("finding");
          if (parent === "sampled") continue;
          if (isFailed || isFound) kept++;
          else if (expected.delete(`/${index}`)) thrownAway++;
        }
        expect(byRequest(tail.spans)).toEqual(expected);
        for (const span of tail.spans) {
          const isSampled = requests[Number(textOf(span, "url.path")?.toString().slice(1))]?.parent === "sampled";
          if (isSampled) expect(textOf(span, "telltale.kept")).toBeUndefined();
        }
        for (const [index, { headers }] of performed.entries()) {
          const flags = requests[index]?.parent === "sampled" ? /-01$/ : /-00$/;
          for (const header of headers) expect(header).toMatch(flags);
        }
      }),
      { numRuns: 200 },
    );
    expect(kept).toBeGreaterThan(50);
    expect(thrownAway).toBeGreaterThan(50);
  });
});
