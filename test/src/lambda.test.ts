import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver, waitFor } from "@telltale/testkit";
import { afterEach, expect, test } from "vitest";
import { fixture } from "./run-program.js";
import { startProgram } from "./start-program.js";

// Nothing of AWS can be had here: the Runtime API and the runtime (test/fixtures/lambda/runtime.mjs) are stand-ins, and the events have the
// members that AWS documents.

const undo: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** What came of an event. */
interface Outcome {
  /** `response` or `error`. */
  readonly how: string;
  readonly body: unknown;
  /** That had arrived when the answer did, from when on AWS may freeze the function; since the last event. */
  readonly spans: readonly ReceivedSpan[];
}

const ARN = "arn:aws:lambda:eu-central-1:123456789012:function:pets:live";

/** Runs a function: each event is given when the one before has been answered. Returns how it ended when there are no more. */
async function runFunction(
  handler: string,
  events: readonly object[],
  env: Record<string, string> = {},
  leftMs = 10_000,
) {
  const receiver: OtlpReceiver = await startOtlpReceiver();
  undo.push(() => receiver.close());
  const outcomes: Outcome[] = [];
  let given = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === "/2018-06-01/runtime/invocation/next") {
      const event = events[given++];
      response.setHeader("lambda-runtime-aws-request-id", `request-${given}`);
      response.setHeader("lambda-runtime-deadline-ms", String(Date.now() + leftMs));
      response.setHeader("lambda-runtime-invoked-function-arn", ARN);
      response.end(event === undefined ? "" : JSON.stringify(event));
      return;
    }
    const spans = [...receiver.spans];
    receiver.reset();
    const how = request.url?.split("/").at(-1) ?? "";
    outcomes.push({ how, body: JSON.parse(await text(request)), spans });
    response.end();
  };
  const api = createServer((request, response) => void answer(request, response)).listen(0, "127.0.0.1");
  undo.push(() => void api.close());
  await once(api, "listening");
  const program = startProgram(fixture("lambda/runtime.mjs"), {
    env: {
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${(api.address() as AddressInfo).port}`,
      AWS_LAMBDA_FUNCTION_NAME: "pets",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
      AWS_REGION: "eu-central-1",
      LAMBDA_TASK_ROOT: fixture("lambda"),
      _HANDLER: handler,
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      ...env,
    },
  });
  undo.push(() => program.kill());
  const isOver = (): boolean => program.child.exitCode !== null;
  return {
    receiver,
    async outcomes(): Promise<Outcome[]> {
      await waitFor(isOver, () => `the function to end by itself; it said:\n${program.stderr()}`);
      expect(program.child.exitCode).toBe(0);
      return outcomes;
    },
  };
}

/** Its code stays as it is: the handler that AWS calls is Telltale's. */
const unchanged = ["../../../packages/telltale/lambda-handler.handler", "function.handler"] as const;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const traceparent = `00-${TRACE}-${PARENT}-01`;

const REST = {
  resource: "/pets/{petId}",
  path: "/pets/10",
  httpMethod: "GET",
  headers: { Host: "shop.example", "User-Agent": "tests", "X-Forwarded-Proto": "https", Traceparent: traceparent },
  queryStringParameters: { color: "red", sig: "secret" },
  multiValueQueryStringParameters: { color: ["red", "blue"], sig: ["secret"] },
  requestContext: { identity: { sourceIp: "192.0.2.7" }, protocol: "HTTP/1.1" },
};
const HTTP_API = {
  version: "2.0",
  routeKey: "GET /pets/{petId}",
  rawPath: "/pets/10",
  rawQueryString: "",
  headers: { host: "shop.example", "x-forwarded-proto": "https" },
  requestContext: { http: { method: "GET", path: "/pets/10", protocol: "HTTP/1.1", sourceIp: "192.0.2.7" } },
};
const LOAD_BALANCER = {
  requestContext: { elb: { targetGroupArn: "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/pets/1" } },
  httpMethod: "GET",
  path: "/pets/11",
  multiValueHeaders: { "x-forwarded-proto": ["http"], traceparent: [traceparent] },
};
const QUEUE = {
  eventSource: "aws:sqs",
  eventSourceARN: "arn:aws:sqs:eu-central-1:1:orders",
  messageAttributes: { traceparent: { stringValue: traceparent, dataType: "String" } },
};
const BY_XRAY = {
  ...QUEUE,
  messageAttributes: {},
  attributes: { AWSTraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1" },
};
const TOPIC = {
  EventSource: "aws:sns",
  Sns: {
    TopicArn: "arn:aws:sns:eu-central-1:1:news",
    MessageAttributes: { traceparent: { Type: "String", Value: traceparent } },
  },
};

const span = (outcome: Outcome | undefined, kind: ReceivedSpan["kind"]) =>
  outcome?.spans.filter((each) => each.kind === kind) ?? [];

test("each event is a span that has left when the answer does", async () => {
  const [handler, own] = unchanged;
  const events = [
    REST,
    HTTP_API,
    LOAD_BALANCER,
    { Records: [QUEUE, BY_XRAY, { ...QUEUE, messageAttributes: {}, body: "poison" }] },
    { Records: [TOPIC] },
    { source: "aws.events", "detail-type": "Scheduled Event" },
  ];
  const run = await runFunction(handler, events, { TELLTALE_LAMBDA_HANDLER: own });
  const outcomes = await run.outcomes();
  expect(outcomes.map(({ how }) => how)).toEqual(["response", "response", "response", "error", "response", "response"]);
  expect(outcomes[0]?.body).toEqual({ statusCode: 200, body: '{"pet":{"name":"Lassie"},"id":"request-1"}' });
  expect(outcomes[3]?.body).toEqual({ errorType: "RangeError", errorMessage: "poison" });

  const [rest, http, balanced, queue, topic, timer] = outcomes;
  expect(span(rest, "server")).toMatchObject([
    {
      name: "GET /pets/{petId}",
      traceId: TRACE,
      parentSpanId: PARENT,
      attributes: {
        "http.route": "/pets/{petId}",
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.path": "/pets/10",
        "url.query": "color=red&color=blue&sig=REDACTED",
        "url.scheme": "https",
        "server.address": "shop.example",
        "client.address": "192.0.2.7",
        "user_agent.original": "tests",
        "faas.trigger": "http",
        "faas.invocation_id": "request-1",
        "faas.coldstart": true,
        "cloud.account.id": "123456789012",
        "cloud.resource_id": ARN.replace(":live", ""),
        "aws.lambda.invoked_arn": ARN,
      },
      resource: {
        "service.name": "pets",
        "faas.name": "pets",
        "faas.max_memory": 128 * 1024 * 1024,
        "cloud.platform": "aws_lambda",
        "cloud.region": "eu-central-1",
      },
    },
  ]);
  // What the handler does is part of it.
  const [parent] = span(rest, "server");
  expect(span(rest, "client").filter(({ traceId }) => traceId === TRACE)).toMatchObject([
    { name: "SELECT pets", parentSpanId: parent?.spanId },
  ]);

  expect(span(http, "server")).toMatchObject([
    {
      name: "GET /pets/{petId}",
      parentSpanId: undefined,
      attributes: { "http.response.status_code": 200, "faas.coldstart": false },
    },
  ]);
  expect(span(balanced, "server")).toMatchObject([
    {
      name: "GET",
      traceId: TRACE,
      status: { code: "error" },
      attributes: { "http.response.status_code": 503, "error.type": "503", "url.scheme": "http" },
    },
  ]);
  expect(span(queue, "consumer")).toMatchObject([
    {
      name: "process orders",
      parentSpanId: undefined,
      status: { code: "error", message: "poison" },
      events: [{ name: "exception" }],
      links: [
        { traceId: TRACE, spanId: PARENT },
        { traceId: "5759e988bd862e3fe1be46a994272793", spanId: "53995c3f42cd8ad8" },
      ],
      attributes: {
        "faas.trigger": "pubsub",
        "messaging.system": "aws_sqs",
        "messaging.batch.message_count": 3,
        "error.type": "RangeError",
      },
    },
  ]);
  expect(span(topic, "consumer")).toMatchObject([{ name: "process news", links: [{ traceId: TRACE }] }]);
  expect(span(timer, "server")).toMatchObject([{ name: "pets", attributes: { "faas.trigger": "timer" } }]);
});

test("callbacks: the answer comes after the spans, and nothing of Telltale's keeps the function from idling", async () => {
  const run = await runFunction("wrapped.callback", [HTTP_API, { ...HTTP_API, fail: true }]);
  const outcomes = await run.outcomes();
  expect(outcomes).toMatchObject([
    {
      how: "response",
      body: { statusCode: 204 },
      spans: [{ name: "GET /pets/{petId}", attributes: { "http.response.status_code": 204 } }],
    },
    {
      how: "error",
      body: { errorType: "TypeError", errorMessage: "failed" },
      spans: [{ attributes: { "error.type": "TypeError" } }],
    },
  ]);
});

test("a stream", async () => {
  const run = await runFunction("wrapped.streaming", [{ ...HTTP_API, routeKey: "$default" }]);
  expect(await run.outcomes()).toMatchObject([{ how: "response", body: "one two", spans: [{ name: "GET" }] }]);
});

test("a function that is out of time has told what it did, and a collector that is not there costs next to nothing", async () => {
  const [handler, own] = unchanged;
  const run = await runFunction(handler, [{ hang: true }], { TELLTALE_LAMBDA_HANDLER: own }, 1_000);
  const spans = await run.receiver.waitForSpans((received) => received.some(({ kind }) => kind === "server"), 5_000);
  expect(spans.find(({ kind }) => kind === "server")).toMatchObject({
    name: "pets",
    status: { code: "error" },
    attributes: { "error.type": "timeout" },
  });

  const beganMs = performance.now();
  const nobody = await runFunction(handler, [REST, REST, REST], {
    TELLTALE_LAMBDA_HANDLER: own,
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
  });
  expect((await nobody.outcomes()).map(({ how }) => how)).toEqual(["response", "response", "response"]);
  expect(performance.now() - beganMs).toBeLessThan(5_000);
});

test("without a handler it says which is missing", async () => {
  const { loadHandler } = await import("telltale/lambda");
  await expect(loadHandler()).rejects.toThrow("TELLTALE_LAMBDA_HANDLER names no handler");
  expect(fileURLToPath(import.meta.resolve("telltale/lambda"))).toContain("dist");
});
