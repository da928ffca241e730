import { createServer, type IncomingHttpHeaders, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { readTarget } from "../src/otlp/request-head.js";
import { createSender, type SenderSettings } from "../src/otlp/sender.js";

const settings = (url: string, headers: Record<string, string> = {}): SenderSettings => ({
  url,
  headers,
  contentType: "application/json",
  gzip: false,
  timeoutMs: 1_000,
  tls: {},
  userAgent: "telltale/test",
});

async function serve(
  address: string,
): Promise<{ port: number; seen: [url: string | undefined, IncomingHttpHeaders][] }> {
  const seen: [string | undefined, IncomingHttpHeaders][] = [];
  const server = createServer((message, response) => {
    seen.push([message.url, message.headers]);
    message.resume().on("end", () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  return { port: (server.address() as AddressInfo).port, seen };
}

test.each<[what: string, url: string, headers?: Record<string, string>, address?: string]>([
  ["a path with a query", "http://127.0.0.1:PORT/a%20b/ü?key=1&x=ä#part"],
  ["no path", "http://127.0.0.1:PORT"],
  ["an address of IPv6", "http://[::1]:PORT/", {}, "::1"],
  ["credentials", "http://user:p%40ss%3A%C3%BC@127.0.0.1:PORT/"],
  ["a user without a password", "http://user@127.0.0.1:PORT/"],
  ["credentials and a header of the user's", "http://user:pass@127.0.0.1:PORT/", { Authorization: "Bearer t" }],
  ["a host of the user's", "http://127.0.0.1:PORT/", { Host: "collector.example" }],
  ["a close of the user's", "http://127.0.0.1:PORT/", { Connection: "close" }],
  ["characters beyond ASCII, and a tab", "http://127.0.0.1:PORT/", { "x-name": "J\u00fcrgen\tK" }],
  ["an empty header", "http://127.0.0.1:PORT/", { "x-empty": "" }],
  [
    "headers that the payload decides",
    "http://127.0.0.1:PORT/",
    { "Content-Type": "text/html", "CONTENT-LENGTH": "99", "User-Agent": "x" },
  ],
])("the request is what node:http makes of %s", async (_, pattern, headers = {}, address = "127.0.0.1") => {
  const { port, seen } = await serve(address);
  const url = pattern.replace("PORT", String(port));
  await expect(createSender(settings(url, headers)).send(Buffer.from("{}"))).resolves.toMatchObject({ ok: true });
  await new Promise((resolve) => {
    const own = { "content-type": "application/json", "content-length": 2, "user-agent": "telltale/test" };
    const sent = request(url, {
      method: "POST",
      agent: false,
      headers: { connection: "keep-alive", ...headers, ...own },
    });
    sent.on("close", resolve).on("response", (response) => response.resume());
    sent.end(Buffer.from("{}"));
  });
  expect(seen).toHaveLength(2);
  expect(seen[0]).toEqual(seen[1]);
});

test.each<[url: string, port: number, head: string, servername: string]>([
  ["http://collector", 80, "host: collector\r\n", "collector"],
  ["http://collector:80/v1", 80, "host: collector\r\n", "collector"],
  ["https://collector/", 443, "host: collector\r\n", "collector"],
  ["HTTPS://Collector:4318/", 4318, "host: collector:4318\r\n", "collector"],
  ["https://10.0.0.1:4318/", 4318, "host: 10.0.0.1:4318\r\n", ""],
  ["https://[::1]/", 443, "host: [::1]\r\n", ""],
])("%s", (url, port, head, servername) => {
  expect(readTarget(settings(url))).toMatchObject({ port, head: expect.stringContaining(head), servername });
});

test("the certificate is to name the host of the user's header", () => {
  const { host, servername } = readTarget(settings("https://10.0.0.1/", { host: "collector.example:4318" }));
  expect([host, servername]).toEqual(["10.0.0.1", "collector.example"]);
});

test("a payload has a length, and no other coding", () => {
  const { head } = readTarget(settings("http://collector/", { "Transfer-Encoding": "chunked" }));
  expect(head.toLowerCase()).not.toContain("chunked");
});

test.each<[what: string, url: string, headers: Record<string, string>, reason: string]>([
  [
    "a line of its own",
    "http://HOST/",
    { "x-token": "secret\r\nx-other: 1" },
    'the header "x-token" has a character that HTTP does not allow',
  ],
  [
    "a return",
    "http://HOST/",
    { "x-token": "secret\r" },
    'the header "x-token" has a character that HTTP does not allow',
  ],
  [
    "a character of two bytes",
    "http://HOST/",
    { "x-token": "secret\u20ac" },
    'the header "x-token" has a character that HTTP does not allow',
  ],
  ["a name with a line", "http://HOST/", { "x\r\ny": "1" }, 'expected the name of a header, got "x\\r\\ny"'],
  ["no name", "http://HOST/", { "": "1" }, 'expected the name of a header, got ""'],
  ["another protocol", "ftp://HOST/", {}, 'expected a URL of http: or https:, got "ftp:"'],
  ["no URL", "HOST", {}, "Invalid URL"],
])("nothing is sent with %s", async (_, url, headers, reason) => {
  const { port, seen } = await serve("127.0.0.1");
  const sender = createSender(settings(url.replace("HOST", `127.0.0.1:${port}`), headers));
  await expect(sender.send(Buffer.from("{}"))).resolves.toEqual({ ok: false, reason });
  expect(seen).toEqual([]);
});
