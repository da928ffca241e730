import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { decodeMetrics, decodeTraces, parseMetrics, parseTraces } from "@telltale/otlp";
import { flattenPoints, flattenSpans, type ReceivedPoint, type ReceivedSpan } from "./received.js";
import { waitFor } from "./wait-for.js";

/** How the receiver answers: well, with a status, late, never, or by cutting the connection. */
export type Behaviour = "ok" | "hang" | "slow" | "reset" | number;

export interface OtlpReceiver {
  /** Base URL, for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  /** Everything received so far, in order of arrival. */
  readonly spans: readonly ReceivedSpan[];
  readonly points: readonly ReceivedPoint[];
  readonly requests: readonly {
    readonly path: string;
    readonly headers: IncomingMessage["headers"];
    readonly bytes: number;
  }[];
  /** May be changed while it runs. */
  behaviour: Behaviour;
  /** Resolves with all spans once `enough` holds for them; rejects after `timeoutMs` (default 10,000) with what has come. */
  waitForSpans(
    enough: (spans: readonly ReceivedSpan[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly ReceivedSpan[]>;
  /** Forgets what was received. */
  reset(): void;
  close(): Promise<void>;
}

export interface OtlpReceiverOptions {
  /** Default: a free one. */
  port?: number;
  /** Default `ok`. */
  behaviour?: Behaviour;
  /** Base URL of another endpoint that is to have all of it as well, as it comes; whether it takes it makes no difference. */
  forwardTo?: string;
}

const SLOW_MS = 2_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** An OTLP endpoint on loopback, http/protobuf and http/json, with or without gzip: what arrives is decoded and kept. */
export async function startOtlpReceiver(options: OtlpReceiverOptions = {}): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const points: ReceivedPoint[] = [];
  const requests: { path: string; headers: IncomingMessage["headers"]; bytes: number }[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const path = request.url ?? "/";
    requests.push({ path, headers: request.headers, bytes: body.length });
    const { behaviour } = receiver;
    if (behaviour === "hang") return;
    if (behaviour === "reset") {
      request.socket.resetAndDestroy();
      return;
    }
    if (typeof behaviour === "number") {
      response.writeHead(behaviour).end();
      return;
    }
    if (behaviour === "slow") await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    if (options.forwardTo !== undefined) await forward(options.forwardTo, request, body);
    const json = request.headers["content-type"]?.startsWith("application/json") === true;
    const content = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    if (path === "/v1/traces") {
      spans.push(...flattenSpans(json ? parseTraces(content.toString()) : decodeTraces(content)));
    } else if (path === "/v1/metrics")
      points.push(...flattenPoints(json ? parseMetrics(content.toString()) : decodeMetrics(content)));
    else if (path !== "/v1/logs") {
      response.writeHead(404).end(`no such path; there are /v1/traces, /v1/metrics and /v1/logs\n`);
      return;
    }
    response
      .writeHead(200, { "content-type": json ? "application/json" : "application/x-protobuf" })
      .end(json ? "{}" : "");
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(400);
      response.end(`${error instanceof Error ? error.message : String(error)}\n`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    points,
    requests,
    behaviour: options.behaviour ?? "ok",
    async waitForSpans(enough, timeoutMs) {
      await waitFor(
        () => enough(spans),
        () => `spans; so far: ${spans.map(({ name }) => name).join(", ") || "none"}`,
        timeoutMs,
      );
      return spans;
    },
    reset() {
      spans.length = 0;
      points.length = 0;
      requests.length = 0;
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
  return receiver;
}

async function forward(url: string, { url: path = "/", headers }: IncomingMessage, body: Buffer): Promise<void> {
  const kept = ["content-type", "content-encoding"].flatMap((name) => {
    const value = headers[name];
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  const sent = fetch(`${url}${path}`, {
    method: "POST",
    headers: Object.fromEntries(kept),
    body: new Uint8Array(body),
  });
  await sent.then((response) => response.arrayBuffer()).catch(() => {});
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) throw new RangeError(`more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
