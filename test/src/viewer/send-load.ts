import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Status } from "@telltale/viewer";
import { encodeTraces, type PlainSpan } from "./protobuf-writer.js";
import { ask, send } from "./send.js";

export interface Load {
  readonly seconds: number;
  /** A multiple of 100: they go out every 100 ms, in traces of 10. */
  readonly spansPerSecond: number;
}

export interface LoadReport {
  readonly sent: number;
  /** What the viewer says of the spans. */
  readonly received: number;
  readonly held: number;
  readonly dropped: number;
  /** Answers to the posts other than 200, by status. */
  readonly refused: Readonly<Record<string, number>>;
  /** How long each part of the API took to answer while the load ran, in ms, and how much of it there was. */
  readonly pages: readonly {
    readonly page: string;
    readonly asked: number;
    readonly p50Ms: number;
    readonly maxMs: number;
  }[];
  /** Of the viewer's process, at each second. */
  readonly rssBytes: readonly number[];
  /** Of one processor that the viewer's process took, 0 to 1 and more. */
  readonly cpu: number;
}

const EVERY_MS = 100;
const PAGES = ["status", "now", "requests", "requests?text=items", "queries", "caches", "pools", "findings", "metrics"];

/**
 * Sends spans as an app's exporters do, OTLP in protobuf, ten times a second, and meanwhile asks for every page, one after the other.
 * `process` is the viewer's.
 */
export async function sendLoad(
  { url, otlpUrl }: { readonly url: string; readonly otlpUrl: string },
  { seconds, spansPerSecond }: Load,
  process: { rssBytes(): number; cpuSeconds(): number },
): Promise<LoadReport> {
  const refused: Record<string, number> = {};
  const times = new Map<string, number[]>();
  const rssBytes: number[] = [];
  const state = { isRunning: true, sent: 0, traceId: "" };

  async function post(): Promise<void> {
    const traces = Array.from({ length: (spansPerSecond * EVERY_MS) / 1000 / 10 }, () => traceOfTen());
    const body = encodeTraces("load", traces.flat());
    state.sent += traces.length * 10;
    const { status } = await send(otlpUrl, { what: "load", path: "/v1/traces", type: "application/x-protobuf", body });
    if (status === 200) state.traceId = traces[0]?.[0]?.traceId ?? "";
    else refused[status] = (refused[status] ?? 0) + 1;
  }
  async function askForPages(): Promise<void> {
    while (state.isRunning) {
      for (const page of [...PAGES, `trace/${state.traceId}`]) {
        const before = performance.now();
        const { status } = await ask(url, `/api/${page}`);
        const name = page.split("/", 1)[0] ?? page;
        if (status !== 200) refused[`${name} ${status}`] = (refused[`${name} ${status}`] ?? 0) + 1;
        const list = times.get(name) ?? [];
        times.set(name, [...list, performance.now() - before]);
        // As often as pages that are open ask.
        await sleep(100);
      }
    }
  }

  const began = performance.now();
  const cpuBefore = process.cpuSeconds();
  const asking = sleep(500).then(askForPages);
  const posts: Promise<void>[] = [];
  for (let turn = 0; turn < (seconds * 1000) / EVERY_MS; turn++) {
    posts.push(post());
    if (turn % (1000 / EVERY_MS) === 0) rssBytes.push(process.rssBytes());
    await sleep(Math.max(0, began + (turn + 1) * EVERY_MS - performance.now()));
  }
  await Promise.all(posts);
  state.isRunning = false;
  await asking;
  const cpu = ((process.cpuSeconds() - cpuBefore) * 1000) / (performance.now() - began);
  const { spans } = JSON.parse((await ask(url, "/api/status")).text) as Status;
  const pages = [...times].map(([page, list]) => {
    const sorted = list.toSorted((a, b) => a - b);
    return { page, asked: sorted.length, p50Ms: sorted[sorted.length >> 1] ?? 0, maxMs: sorted.at(-1) ?? 0 };
  });
  const { received, held, dropped } = spans;
  return { sent: state.sent, received, held, dropped, refused, pages, rssBytes, cpu };
}

let count = 0;

/** A request with six queries, two lookups, and a step of its own. */
function traceOfTen(): PlainSpan[] {
  const number = ++count;
  const traceId = randomBytes(16).toString("hex");
  const ids = randomBytes(80).toString("hex");
  const endNs = BigInt(Date.now()) * 1_000_000n;
  const startNs = endNs - 40_000_000n;
  const route = `/route-${number % 20}/:id`;
  const span = (index: number, name: string, kind: number, attributes: PlainSpan["attributes"]): PlainSpan => ({
    traceId,
    spanId: ids.slice(index * 16, index * 16 + 16),
    parentSpanId: index === 0 ? undefined : ids.slice(0, 16),
    name,
    kind,
    startNs: startNs + BigInt(index * 3_000_000),
    endNs: index === 0 ? endNs : startNs + BigInt(index * 3_000_000 + 2_000_000 + (number % 50) * 10_000),
    attributes: attributes ?? {},
    isError: index === 0 && number % 100 === 0,
  });
  const query = (index: number): PlainSpan =>
    span(index, `SELECT items_${number % 30}`, 3, {
      "db.system.name": "postgresql",
      "db.namespace": "shop",
      "db.query.summary": `SELECT items_${number % 30}`,
      "db.query.text": `SELECT id, name, price FROM items_${number % 30} WHERE id = $1 AND kind = ${index}`,
      "db.operation.name": "SELECT",
      "server.address": "127.0.0.1",
      "server.port": 5432,
    });
  const lookup = (index: number): PlainSpan =>
    span(index, "GET product", 3, {
      "db.system.name": "redis",
      "db.operation.name": "GET",
      "db.query.text": "GET product:?",
      "telltale.cache.name": "product",
      [number % 4 === 0 ? "telltale.cache.misses" : "telltale.cache.hits"]: 1,
    });
  return [
    span(0, `GET ${route}`, 2, {
      "http.request.method": "GET",
      "http.route": route,
      "url.path": `/route-${number % 20}/${number}`,
      "http.response.status_code": number % 100 === 0 ? 500 : 200,
    }),
    ...[1, 2, 3, 4, 5, 6].map(query),
    lookup(7),
    lookup(8),
    span(9, "render", 1, { step: "render" }),
  ];
}
