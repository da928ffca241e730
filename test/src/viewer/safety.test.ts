import { connect } from "node:net";
import { startViewer, type Viewer } from "@telltale/viewer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeTraces } from "./protobuf-writer.js";
import { ask } from "./send.js";

// What a web page, or anybody on this machine, may try on the viewer's ports.

let viewer: Viewer;
beforeAll(async () => {
  viewer = await startViewer({ port: 0, otlpPort: 0 });
});
afterAll(() => viewer?.close());

const JSON_TYPE = { "content-type": "application/json" };
const received = async (): Promise<number> =>
  (JSON.parse((await ask(viewer.url, "/api/status")).text) as { spans: { received: number } }).spans.received;

describe("a page of the web, by a name of its own for this machine", () => {
  test.each([
    "rebound.example",
    "rebound.example:4319",
    "127.0.0.1.rebound.example",
    "localhost.rebound.example",
    "[::2]",
    "",
    "localhost:4319@rebound.example",
  ])("is refused with Host %j, whatever it asks for", async (host) => {
    const asked = [
      ask(viewer.url, "/", { headers: { host } }),
      ask(viewer.url, "/api/findings", { headers: { host } }),
      ask(viewer.url, "/api/live", { headers: { host } }),
      ask(viewer.url, "/v1/traces", { method: "POST", headers: { host, ...JSON_TYPE }, body: Buffer.from("{}") }),
      ask(viewer.otlpUrl, "/v1/traces", { method: "POST", headers: { host, ...JSON_TYPE }, body: Buffer.from("{}") }),
    ];
    for (const { status, text } of await Promise.all(asked)) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      expect(text).not.toContain("<script");
    }
  });

  test("localhost, 127.0.0.1 and [::1] are names of ours", async () => {
    const { port } = new URL(viewer.url);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, `LOCALHOST:${port}`])
      expect((await ask(viewer.url, "/api/status", { headers: { host } })).status, host).toBe(200);
  });
});

describe("a page of the web, by our name", () => {
  const { origin: ours } = { origin: "https://elsewhere.example" };

  test.each([ours, "null", "http://localhost:1", "http://127.0.0.1.rebound.example"])(
    "may post nothing from %s",
    async (origin) => {
      const before = await received();
      const span = { traceId: "1".repeat(32), spanId: "1".repeat(16), name: "forged" };
      const forged = encodeTraces("forged", [{ ...span, kind: 1, startNs: 1n, endNs: 2n }]);
      // The types that a page may send without asking first are among them.
      for (const type of ["application/x-protobuf", "application/json", "text/plain"]) {
        for (const base of [viewer.url, viewer.otlpUrl]) {
          const headers = { origin, "content-type": type };
          expect((await ask(base, "/v1/traces", { method: "POST", headers, body: forged })).status).toBe(403);
        }
      }
      const mute = { method: "POST", headers: { origin, ...JSON_TYPE }, body: Buffer.from('{"muted":true}') };
      expect((await ask(viewer.url, "/api/findings/x/mute", mute)).status).toBe(403);
      expect(await received()).toBe(before);
    },
  );

  test("may read nothing: no answer allows another origin", async () => {
    for (const path of ["/", "/api/findings", "/api/status", "/api/live"]) {
      const { status, headers } = await ask(viewer.url, path, { headers: { origin: ours } });
      expect({ path, status }).toEqual({ path, status: 403 });
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    }
    const preflight = await ask(viewer.url, "/v1/traces", {
      method: "OPTIONS",
      headers: { origin: ours, "access-control-request-method": "POST" },
    });
    expect(preflight.status).toBe(403);
    expect(preflight.headers["access-control-allow-origin"]).toBeUndefined();
  });
});

describe("paths", () => {
  test.each([
    "/../package.json",
    "/assets/../../package.json",
    "/assets/..%2f..%2f..%2fpackage.json",
    "/%2e%2e/%2e%2e/package.json",
    "/..\\..\\package.json",
    "/assets//etc/passwd",
    "//etc/passwd",
    "/etc/passwd%00.html",
    "/%",
    "/%ff%fe",
    "/api/trace/..%2f..%2fstatus",
    "/api/__proto__",
    "/api/constructor",
    "/v1/../api/status",
    "http://elsewhere.example/",
    "*",
  ])("%s leads to no file of the machine", async (path) => {
    const { status, text } = await ask(viewer.url, path);
    expect(status).toBeGreaterThanOrEqual(200);
    expect(status).toBeLessThan(500);
    expect(text).not.toContain("root:");
    expect(text).not.toContain('"dependencies"');
  });

  test("names of metrics, which have dots, lead to their page", async () => {
    const { status, headers } = await ask(viewer.url, "/metrics/http.server.request.duration");
    expect(status).toBe(200);
    expect(headers["content-type"]).toMatch(/^text\/html/);
  });

  test("every answer has the policy, pages and errors alike", async () => {
    for (const path of ["/", "/requests", "/api/status", "/api/nothing", "/assets/nothing.js", "/v1/traces"]) {
      const { headers } = await ask(viewer.url, path);
      expect(headers["content-security-policy"], path).toMatch(/^default-src 'none'; script-src 'self';/);
      expect(headers["content-security-policy"], path).not.toMatch(/unsafe|\*|https?:|data:/);
      expect(headers["x-content-type-options"], path).toBe("nosniff");
    }
  });
});

describe("too much", () => {
  test("a body of more than the limit is refused, by what it says and by what comes", async () => {
    const body = Buffer.alloc(80_000_000, 0x20);
    const before = process.memoryUsage().rss;
    for (const path of ["/v1/traces", "/v1/logs", "/v1/metrics"]) {
      const { status } = await ask(viewer.otlpUrl, path, { method: "POST", headers: JSON_TYPE, body });
      // Cut off is refused as well.
      expect([413, -1]).toContain(status);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000);
    expect((await ask(viewer.url, "/api/status")).status).toBe(200);
  });

  test("to the API: a body, an address, headers, parameters that are none", async () => {
    const mute = (body: Uint8Array) =>
      ask(viewer.url, "/api/findings/x/mute", { method: "POST", headers: JSON_TYPE, body });
    const statuses = [
      (await mute(Buffer.alloc(20_000_000, 0x5b))).status,
      (await mute(Buffer.from("[".repeat(100_000)))).status,
      (await mute(Buffer.from("null"))).status,
      (await ask(viewer.url, `/api/trace/${"a".repeat(100_000)}`)).status,
      (await ask(viewer.url, "/api/status", { headers: { "x-long": "a".repeat(100_000) } })).status,
    ];
    for (const status of statuses) expect(status === -1 || (status >= 400 && status < 500)).toBe(true);
    const odd = [
      "",
      "-1",
      "0",
      "1e999",
      "NaN",
      "Infinity",
      "99999999999999999999",
      "x",
      "%00",
      "';--",
      "[object Object]",
    ];
    const parameters = [
      "minutes",
      "service",
      "route",
      "status",
      "slower",
      "finding",
      "text",
      "before",
      "limit",
      "sort",
      "kind",
      "muted",
      "by",
    ];
    const wrong: string[] = [];
    for (const name of [
      "now",
      "requests",
      "queries",
      "caches",
      "pools",
      "findings",
      "metrics",
      "metric/x",
      "query/x",
      "trace/x",
    ]) {
      for (const value of odd) {
        const { status } = await ask(
          viewer.url,
          `/api/${name}?${parameters.map((one) => `${one}=${encodeURIComponent(value)}`).join("&")}`,
        );
        if (status < 200 || status >= 500) wrong.push(`${name} ${value}: ${status}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("five hundred connections that say nothing keep nobody else out", async () => {
    const { hostname, port } = new URL(viewer.url);
    const sockets = Array.from({ length: 500 }, () => connect(Number(port), hostname).on("error", () => {}));
    try {
      await new Promise((resolve) => sockets.at(-1)?.once("connect", resolve));
      for (const socket of sockets.slice(0, 100)) socket.write("GET /api/status HTTP/1.1\r\nHost: ");
      expect((await ask(viewer.url, "/api/status")).status).toBe(200);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });
});
