import { createServer as createHttpServer, type IncomingMessage, request } from "node:http";
import { createServer, type AddressInfo, connect } from "node:net";
import { once } from "node:events";
import { brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLive } from "../src/serve/live.js";
import { findPages, readPages } from "../src/serve/pages.js";
import { PortTakenError, startViewer, type ViewerOptions } from "../src/start-viewer.js";

async function start(options: ViewerOptions = {}) {
  const viewer = await startViewer({ port: 0, otlpPort: 0, ...options });
  onTestFinished(() => viewer.close());
  return viewer;
}

/** As fetch does it, but with headers that fetch keeps to itself, and bytes as they come. */
async function get(url: string, headers: Record<string, string> = {}) {
  const sent = request(url, { headers }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  return { status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(parts) };
}

test("localhost is this machine by both of its addresses, and no other address is listened on", async () => {
  const { url, otlpUrl } = await start();
  for (const base of [url, otlpUrl]) {
    const { port } = new URL(base);
    for (const host of ["127.0.0.1", "[::1]"]) {
      expect((await get(`http://${host}:${port}/v1/nothing`)).status).toBe(404);
    }
    // Of the same interface: whoever listened on all addresses would answer.
    const socket = connect(Number(port), "127.0.0.2");
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  }
});

test.each(["127.0.0.1", "::1"])("a port that is taken on %s is an error that names it", async (host) => {
  const other = createServer().listen(0, host);
  await once(other, "listening");
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  for (const takesOtherPorts of [false, true]) {
    const refused = startViewer({ port: 0, otlpPort: port, takesOtherPorts });
    await expect(refused).rejects.toThrow(PortTakenError);
    await expect(refused).rejects.toMatchObject({ port });
  }
});

test("a default port that is taken is given up where that is allowed", async () => {
  const other = createServer().listen(4319, "127.0.0.1");
  // Somebody else may have it: it is taken all the same.
  await Promise.race([once(other, "listening"), new Promise((resolve) => other.once("error", resolve))]);
  onTestFinished(() => void other.close());
  await expect(startViewer({ otlpPort: 0 })).rejects.toMatchObject({ port: 4319 });
  const viewer = await startViewer({ otlpPort: 0, takesOtherPorts: true });
  onTestFinished(() => viewer.close());
  expect(new URL(viewer.url).port).not.toBe("4319");
  expect((await get(`${viewer.url}/api/status`)).status).toBe(200);
});

test("what failed to start, and what was closed, leaves its ports free", async () => {
  const first = await startViewer({ port: 0, otlpPort: 0 });
  const port = Number(new URL(first.url).port);
  const otlpPort = Number(new URL(first.otlpUrl).port);
  await first.close();
  await expect(startViewer({ port: otlpPort, otlpPort })).rejects.toThrow(PortTakenError);
  const second = await start({ port, otlpPort });
  expect(second).toMatchObject({ url: first.url, otlpUrl: first.otlpUrl });
});

test("an address that was asked for is a name of ours, the addresses of the machine where it is all of them", async () => {
  const named = await start({ host: "127.0.0.2" });
  const { port } = new URL(named.url);
  expect(named.url).toBe(`http://127.0.0.2:${port}`);
  expect((await get(`${named.url}/api/status`)).status).toBe(200);
  expect((await get(`${named.url}/api/status`, { host: "127.0.0.3" })).status).toBe(403);
  const open = await start({ host: "0.0.0.0" });
  for (const [host, status] of [
    ["192.0.2.7:80", 200],
    ["laptop.example", 403],
    ["1.2.3.4.example", 403],
  ] as const) {
    expect((await get(`${open.url}/api/status`, { host })).status, host).toBe(status);
  }
});

test("another page of this machine may not even ask, a link may be followed", async () => {
  const { url } = await start();
  for (const [site, mode, status] of [
    ["same-site", "no-cors", 403],
    ["cross-site", "no-cors", 403],
    ["cross-site", "navigate", 200],
    ["same-origin", "cors", 200],
    ["none", "navigate", 200],
  ] as const) {
    const asked = await get(`${url}/requests`, { "sec-fetch-site": site, "sec-fetch-mode": mode });
    expect({ site, mode, status: asked.status }).toEqual({ site, mode, status });
  }
});

test("says why a caller is refused, and what to do", async () => {
  const { url } = await start();
  const { bytes } = await get(`${url}/`, { host: "rebound.example" });
  expect(JSON.parse(bytes.toString())).toEqual({
    error: expect.stringMatching(/Host .* localhost, 127\.0\.0\.1, \[::1\], got "rebound\.example".*--host/),
  });
});

test("a connection has its answers in the order of its questions; one that asks on and on without reading is closed", async () => {
  const { url } = await start();
  const ask = async (times: number, end: string) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    const question = (n: number, more = "") => `GET /nothing-${n}.js HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
    const status = "GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const questions = Array.from({ length: times }, (_, n) => (n % 2 === 0 ? status : question(n)));
    socket.on("error", () => {}).end(questions.join("") + question(times, end));
    let text = "";
    socket.setEncoding("latin1").on("data", (part: string) => (text += part));
    await once(socket, "close");
    return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code);
  };
  const inTurn = Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? "200" : "404"));
  expect(await ask(20, "Connection: close\r\n")).toEqual([...inTurn, "404"]);
  expect((await ask(500, "Connection: close\r\n")).length).toBeLessThan(40);
});

test("what fails again and again is said once, and acts on no terminal", async () => {
  const { url, store } = await start();
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  onTestFinished(() => stderr.mockRestore());
  store.db.prepare = () => {
    throw new Error("\x1b[2J broken");
  };
  for (let times = 0; times < 3; times++) expect((await get(`${url}/api/findings`)).status).toBe(500);
  expect(stderr).toHaveBeenCalledOnce();
  expect(stderr.mock.lastCall?.[0]).toMatch(/^telltale: Error: \ufffd\[2J broken\n {4}at /);
});

test("pages are compressed as the browser wants, assets stay in its cache for good, all else does not", async () => {
  const { url } = await start();
  const plain = await get(`${url}/`);
  const asset = /(?:src|href)="(\/assets\/[^"]+\.js)"/.exec(plain.bytes.toString())?.[1] ?? "";
  for (const path of ["/", asset]) {
    const { headers, bytes } = await get(url + path);
    expect(headers["content-encoding"]).toBeUndefined();
    expect(headers["cache-control"]).toBe(path === "/" ? "no-cache" : "public, max-age=31536000, immutable");
    const gzip = await get(url + path, { "accept-encoding": "deflate, gzip;q=0.5, br;q=0" });
    expect(gzip.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(gzip.bytes).equals(bytes)).toBe(true);
    const br = await get(url + path, { "accept-encoding": "gzip, br" });
    expect(br.headers).toMatchObject({ "content-encoding": "br", vary: "accept-encoding" });
    expect(brotliDecompressSync(br.bytes).equals(bytes)).toBe(true);
  }
  expect((await get(`${url}/api/now`)).headers["cache-control"]).toBe("no-store");
  const deep = await get(`${url}/trace/0123456789abcdef0123456789abcdef?compare=1`);
  expect(deep.bytes.equals(plain.bytes)).toBe(true);
});

test("the pages are under 400 KB, gzipped", () => {
  const pages = readPages(findPages() ?? "");
  expect(pages.has("/index.html")).toBe(true);
  const sizes = [...pages.values()].map(({ plain }) => gzipSync(plain).length);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(400 * 1024);
});

test("live events: the first at once, then at most one a second, with all that came in between", async () => {
  const live = createLive();
  onTestFinished(() => live.close());
  const server = createHttpServer((question, answer) => live.answer(question, answer)).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { body } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const events: { atMs: number; data: { kinds: string[]; spans: number } }[] = [];
  void (async () => {
    let text = "";
    for await (const part of (body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
      text += part;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const data = /^event: change\ndata: (.*)$/.exec(text.slice(0, end))?.[1];
        if (data !== undefined) events.push({ atMs: performance.now(), data: JSON.parse(data) });
        text = text.slice(end + 2);
      }
    }
  })();
  const from = performance.now();
  for (let n = 0; n < 10; n++) {
    live.tell({ kinds: [n % 2 === 0 ? "spans" : "logs"], spans: 2 });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await expect.poll(() => events.reduce((sum, { data }) => sum + data.spans, 0), { timeout: 3_000 }).toBe(20);
  const seconds = (performance.now() - from) / 1_000;
  expect(events.length).toBeGreaterThanOrEqual(2);
  expect(events.length).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
  expect(events[0]?.atMs).toBeLessThan(from + 500);
  expect(events.flatMap(({ data }) => data.kinds).toSorted()).toEqual(expect.arrayContaining(["logs", "spans"]));
});
