import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  trace,
} from "@opentelemetry/api";
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from "@opentelemetry/core";
import { emptyResource } from "@opentelemetry/resources";
import {
  addSpanListener,
  contextOf,
  endOperation,
  startHttpClientOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { getRequest } from "@telltale/test/requests";
import { afterEach, describe, expect, test } from "vitest";
import { createSampler, createTracerProvider, type SamplerName, SpanExport } from "../src/index.js";
import { type DecodedSpan, decodeSpans } from "./otlp-decoder.js";

// The cases of https://www.w3.org/TR/trace-context/ and of its test suite (https://github.com/w3c/trace-context/tree/main/test): what
// a service must make of headers, and what it must send on.

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const propagator = new CompositePropagator({
  propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()],
});

type Headers = Record<string, string | string[]>;

let stop = () => {};
afterEach(() => stop());

const servedRequest = getRequest();

const ENGINE_WAYS: readonly ("API" | "operations")[] = ["API", "operations"];

/** A service: takes headers, makes a server span and in it a client span, sends headers on. */
async function serve(way: "API" | "operations", headers: Headers, sampler: SamplerName = "parentbased_always_on") {
  const spans: DecodedSpan[] = [];
  const provider = createTracerProvider({
    resource: emptyResource(),
    sampler: createSampler(sampler),
    export: new SpanExport({
      async deliver(request) {
        spans.push(...decodeSpans(request));
        return { ok: true };
      },
    }),
  });
  const extracted = propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
  const sent: Record<string, string> = {};
  const send = (context: Context) => propagator.inject(context, sent, defaultTextMapSetter);
  if (way === "API") {
    const tracer = provider.getTracer("t");
    const server = tracer.startSpan("server", { kind: SpanKind.SERVER }, extracted);
    const served = trace.setSpan(extracted, server);
    const client = tracer.startSpan("client", { kind: SpanKind.CLIENT }, served);
    send(trace.setSpan(served, client));
    client.end();
    server.end();
  } else {
    stop = addSpanListener(provider);
    const server = startHttpServerOperation(servedRequest, extracted);
    const sentRequest = {
      method: "GET",
      originalMethod: undefined,
      url: "http://x/",
      serverAddress: "x",
      serverPort: 80,
    };
    const client = startHttpClientOperation(sentRequest, contextOf(server));
    send(contextOf(client));
    endOperation(client);
    endOperation(server);
    stop();
  }
  await provider.forceFlush();
  return {
    server: spans.find(({ kind }) => kind === SpanKind.SERVER + 1),
    client: spans.find(({ kind }) => kind === SpanKind.CLIENT + 1),
    sent,
    parts: /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$/.exec(sent["traceparent"] ?? "")?.slice(1),
  };
}

describe.each(ENGINE_WAYS)("through the %s", (way) => {
  test.each<[string, string, boolean]>([
    ["sampled", `00-${TRACE}-${PARENT}-01`, true],
    ["not sampled", `00-${TRACE}-${PARENT}-00`, false],
    ["unknown flags with the sampled one", `00-${TRACE}-${PARENT}-ff`, true],
    ["unknown flags alone", `00-${TRACE}-${PARENT}-fe`, false],
    ["the random flag", `00-${TRACE}-${PARENT}-03`, true],
    ["a later version", `cc-${TRACE}-${PARENT}-01`, true],
    ["a later version with more in it", `cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`, true],
    ["space around it", ` 00-${TRACE}-${PARENT}-01 `, true],
    ["the highest ids", `00-${"f".repeat(32)}-${"f".repeat(16)}-01`, true],
    ["the lowest ids", `00-${"0".repeat(31)}1-${"0".repeat(15)}1-01`, true],
  ])("%s: the trace goes on", async (_, traceparent, sampled) => {
    const [traceId = "", parentId = ""] = traceparent.trim().split("-").slice(1);
    const { server, client, parts } = await serve(way, { traceparent });
    expect(parts?.[0]).toBe(traceId);
    expect(parts?.[1]).not.toBe(parentId);
    expect(parts?.[2]).toBe(sampled ? "01" : "00");
    if (!sampled) {
      expect([server, client]).toEqual([undefined, undefined]);
      return;
    }
    // Flags: sampled, whether the parent is remote is known, and it is.
    expect(server).toMatchObject({ traceId, parentSpanId: parentId, flags: 0x301 });
    expect(client).toMatchObject({ traceId, parentSpanId: server?.spanId, flags: 0x101 });
    expect(parts?.[1]).toBe(client?.spanId);
  });

  test.each<[string, string | undefined]>([
    ["none", undefined],
    ["empty", ""],
    ["version ff", `ff-${TRACE}-${PARENT}-01`],
    ["a version of one digit", `0-${TRACE}-${PARENT}-01`],
    ["a version of three digits", `000-${TRACE}-${PARENT}-01`],
    ["a version that is no number", `.0-${TRACE}-${PARENT}-01`],
    ["an uppercase version", `CC-${TRACE}-${PARENT}-01`],
    ["version 00 with more in it", `00-${TRACE}-${PARENT}-01-what-the-future-will-be-like`],
    ["version 00 with a dash at the end", `00-${TRACE}-${PARENT}-01-`],
    ["a later version with more and no dash", `cc-${TRACE}-${PARENT}-01.what-the-future-will-not-be-like`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["a trace id with other letters", `00-.${TRACE.slice(1)}-${PARENT}-01`],
    ["an uppercase trace id", `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ["a long trace id", `00-${TRACE}0-${PARENT}-01`],
    ["a short trace id", `00-${TRACE.slice(1)}-${PARENT}-01`],
    ["a parent id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["a parent id with other letters", `00-${TRACE}-${PARENT.slice(1)}g-01`],
    ["an uppercase parent id", `00-${TRACE}-${PARENT.toUpperCase()}-01`],
    ["a long parent id", `00-${TRACE}-${PARENT}0-01`],
    ["a short parent id", `00-${TRACE}-${PARENT.slice(1)}-01`],
    ["flags that are no number", `00-${TRACE}-${PARENT}-.0`],
    ["flags of one digit", `00-${TRACE}-${PARENT}-1`],
    ["flags of three digits", `00-${TRACE}-${PARENT}-001`],
    ["other dashes", `00_${TRACE}_${PARENT}_01`],
  ])("%s: a trace begins, without the state", async (_, traceparent) => {
    const { server, client, parts, sent } = await serve(way, {
      ...(traceparent !== undefined && { traceparent }),
      tracestate: "vendor=1",
    });
    expect(server).toMatchObject({ parentSpanId: "", traceState: "", flags: 0x101 });
    expect(server?.traceId).not.toBe(TRACE);
    expect(parts).toEqual([server?.traceId, client?.spanId, "01"]);
    expect(sent["tracestate"]).toBeUndefined();
  });

  test.each<[string, string | string[], string]>([
    ["one member", "foo=1", "foo=1"],
    ["two members", "foo=1,bar=2", "foo=1,bar=2"],
    ["two headers", ["foo=1", "bar=2"], "foo=1,bar=2"],
    ["space between members", "foo=1 , \t bar=2", "foo=1,bar=2"],
    ["empty members", "foo=1,,bar=2,", "foo=1,bar=2"],
    ["a tenant", "0tenant@vendor=1", "0tenant@vendor=1"],
    ["all letters of keys", "abcdefghijklmnopqrstuvwxyz0123456789_-*/=1", "abcdefghijklmnopqrstuvwxyz0123456789_-*/=1"],
    ["a value with = is left out", "foo=a=b,bar=2", "bar=2"],
    ["an uppercase key is left out", "FOO=1,bar=2", "bar=2"],
    ["a member without a value is left out", "foo,bar=2", "bar=2"],
    ["32 members", range(32), range(32)],
    ["a long value", `foo=${"x".repeat(200)}`, `foo=${"x".repeat(200)}`],
  ])("state: %s", async (_, tracestate, expected) => {
    const { server, client, sent } = await serve(way, { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate });
    expect([server?.traceState, client?.traceState, sent["tracestate"]]).toEqual([expected, expected, expected]);
  });

  test("an unsampled trace keeps its state", async () => {
    const { sent } = await serve(way, { traceparent: `00-${TRACE}-${PARENT}-00`, tracestate: "foo=1,bar=2" });
    expect(sent["tracestate"]).toBe("foo=1,bar=2");
  });

  test("what is not kept here is not kept by those who are called, whatever the caller said", async () => {
    const { sent, parts } = await serve(
      way,
      { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "foo=1" },
      "always_off",
    );
    expect([parts?.[0], parts?.[2], sent["tracestate"]]).toEqual([TRACE, "00", "foo=1"]);
  });

  test("what is kept here is kept by those who are called", async () => {
    const { server, client, parts } = await serve(way, { traceparent: `00-${TRACE}-${PARENT}-00` }, "always_on");
    expect(server).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, flags: 0x301 });
    expect(parts).toEqual([TRACE, client?.spanId, "01"]);
  });

  test("baggage goes through untouched", async () => {
    const baggage = "userId=alice,isProduction=false;secret,empty=";
    const { sent } = await serve(way, { traceparent: `00-${TRACE}-${PARENT}-01`, baggage });
    expect(sent["baggage"]).toBe(propagated(baggage));
    expect(sent["baggage"]).toContain("isProduction=false;secret");
  });
});

test("a call right under a remote parent that is not kept tells so to the one who is called", async () => {
  const provider = createTracerProvider({ resource: emptyResource(), sampler: createSampler("always_off") });
  stop = addSpanListener(provider);
  const remote = propagator.extract(ROOT_CONTEXT, { traceparent: `00-${TRACE}-${PARENT}-01` }, defaultTextMapGetter);
  const sentRequest = {
    method: "GET",
    originalMethod: undefined,
    url: "http://x/",
    serverAddress: "x",
    serverPort: 80,
  };
  const client = startHttpClientOperation(sentRequest, remote);
  const sent: Record<string, string> = {};
  propagator.inject(contextOf(client), sent, defaultTextMapSetter);
  endOperation(client);
  expect(sent["traceparent"]).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
});

function range(count: number): string {
  return Array.from({ length: count }, (_, index) => `k${index}=${index}`).join();
}

/** What the propagator alone makes of baggage. */
function propagated(baggage: string): string | undefined {
  const sent: Record<string, string> = {};
  const extracted = propagator.extract(ROOT_CONTEXT, { baggage }, defaultTextMapGetter);
  expect(propagation.getBaggage(extracted)?.getAllEntries().length).toBeGreaterThan(1);
  propagator.inject(extracted, sent, defaultTextMapSetter);
  return sent["baggage"];
}
