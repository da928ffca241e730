import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { gunzipSync } from "node:zlib";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createPrometheusReader, type PrometheusReader, type SidePage } from "../src/index.js";

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
}

let provider: MeterProvider | undefined;
let url = "";
let read = 0;

async function start(changes: Partial<SidePage> = {}): Promise<void> {
  read = 0;
  const page: SidePage = {
    path: "/findings",
    audience: "local",
    option: "metrics.findings",
    read: () => (read++, '"own"'),
    write: (parts, silent) => JSON.stringify({ parts: parts.map((part) => JSON.parse(part) as unknown), silent }),
    ...changes,
  };
  const reader: PrometheusReader = createPrometheusReader({ port: 0, page });
  provider = new MeterProvider({ readers: [reader.reader] });
  const listening = await reader.listening;
  url = "url" in listening ? listening.url.replace("/metrics", "") : "";
}
beforeEach(() => start());
afterEach(() => provider?.shutdown());

/** fetch would not send any Host. */
async function ask(path: string, method = "GET", headers: Record<string, string> = {}): Promise<Answer> {
  const asking = request(url + path, { method, headers, agent: false }).end();
  const [response] = (await once(asking, "response")) as [import("node:http").IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

test("answers beside the metrics, as JSON that nobody keeps or takes for anything else", async () => {
  const { status, headers, body } = await ask("/findings?x=1");
  expect(status).toBe(200);
  expect(headers).toMatchObject({
    "content-type": "application/json; charset=utf-8",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  expect(JSON.parse(body.toString())).toEqual({ parts: ["own"], silent: 0 });
  expect((await ask("/metrics")).body.toString()).toContain("target_info");
});

test("compresses for who likes it", async () => {
  const { headers, body } = await ask("/findings", "GET", { "accept-encoding": "gzip" });
  expect(headers["content-encoding"]).toBe("gzip");
  expect(JSON.parse(gunzipSync(body).toString())).toEqual({ parts: ["own"], silent: 0 });
});

test("HEAD makes no page", async () => {
  const { status, headers, body } = await ask("/findings", "HEAD");
  expect({ status, length: body.length, read }).toEqual({ status: 200, length: 0, read: 0 });
  expect(headers["content-type"]).toBe("application/json; charset=utf-8");
});

test("however much one connection asks for at once, few pages are made, and then there is room again", async () => {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let answers = "";
  socket.on("data", (chunk: Buffer) => (answers += chunk.toString("latin1")));
  socket.write("GET /findings HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50));
  const statuses = (): string[] => answers.match(/HTTP\/1\.1 \d+/g) ?? [];
  await vi.waitFor(() => expect(statuses()).toHaveLength(50));
  socket.destroy();
  expect(read).toBe(8);
  expect(statuses().filter((status) => status.endsWith("503"))).toHaveLength(42);
  expect((await ask("/findings")).status).toBe(200);
});

test.each(["POST", "DELETE", "PUT"])("%s is refused", async (method) => {
  const { status, headers, body } = await ask("/findings", method);
  expect({ status, allow: headers["allow"], body: body.toString() }).toEqual({
    status: 405,
    allow: "GET, HEAD",
    body: "This is read with GET.\n",
  });
});

test("a page that cannot be written is an answer", async () => {
  await provider?.shutdown();
  await start({
    write() {
      throw new Error("no ink");
    },
  });
  const { status, body } = await ask("/findings");
  expect([status, body.toString()]).toEqual([503, "This cannot be read: no ink\n"]);
});

describe("for this machine alone", () => {
  const port = () => new URL(url).port;
  test.each<[string, () => Record<string, string>, number]>([
    ["by number", () => ({ host: `127.0.0.1:${port()}` }), 200],
    ["by another number of loopback", () => ({ host: "127.9.9.9" }), 200],
    ["by name", () => ({ host: `localhost:${port()}` }), 200],
    ["by number, IPv6", () => ({ host: `[::1]:${port()}` }), 200],
    ["by a name that leads here", () => ({ host: `evil.example:${port()}` }), 403],
    ["by a name that begins like a number", () => ({ host: "127.0.0.1.evil.example" }), 403],
    ["by an address of the network", () => ({ host: "10.0.0.7" }), 403],
    ["through a proxy", () => ({ "x-forwarded-for": "203.0.113.9" }), 403],
    ["through a proxy that says it as it should", () => ({ forwarded: "for=203.0.113.9" }), 403],
    ["through a proxy that names itself", () => ({ via: "1.1 proxy" }), 403],
  ])("%s", async (_, headers, expected) => {
    const { status, body } = await ask("/findings", "GET", headers());
    expect(status).toBe(expected);
    if (expected === 403) {
      expect(body.toString()).toBe(
        'This is shown to the machine it comes from only: read it there, or set metrics.findings to "all".\n',
      );
      expect(read).toBe(0);
    }
    // The metrics are as open as they were.
    expect((await ask("/metrics", "GET", headers())).status).toBe(200);
  });

  test("or for all who can read the metrics", async () => {
    await provider?.shutdown();
    await start({ audience: "all" });
    expect((await ask("/findings", "GET", { host: "metrics.example", via: "1.1 proxy" })).status).toBe(200);
  });
});
