import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { createAnswerParser } from "../src/otlp/answer-parser.js";

interface Read {
  status: number | undefined;
  body: string | undefined;
  isWhole: boolean;
  keepsAlive: boolean;
}

/** What becomes of bytes that come in these pieces; the connection ends after them where it says so. */
function read(pieces: readonly Buffer[], ends = false): Read {
  const parser = createAnswerParser();
  for (const piece of pieces) parser.feed(piece);
  if (ends) parser.end();
  const answer = parser.answer();
  return {
    status: answer?.status,
    body: answer?.body.toString("latin1"),
    isWhole: parser.isWhole(),
    keepsAlive: parser.keepsAlive(),
  };
}

const lines = (...all: string[]): Buffer => Buffer.from(all.join("\r\n"), "latin1");
const kept = (status: number, body: string): Read => ({ status, body, isWhole: true, keepsAlive: true });
const closed = (status: number, body: string): Read => ({ ...kept(status, body), keepsAlive: false });
const cut = (status: number | undefined, body: string | undefined): Read => ({
  status,
  body,
  isWhole: false,
  keepsAlive: false,
});

const answers: [what: string, bytes: Buffer, expected: Read][] = [
  ["a length", lines("HTTP/1.1 200 OK", "Content-Length: 5", "", "hello"), kept(200, "hello")],
  ["no body", lines("HTTP/1.1 200 OK", "content-length: 0", "", ""), kept(200, "")],
  ["no reason", lines("HTTP/1.1 503", "content-length: 0", "", ""), kept(503, "")],
  ["204 without a length", lines("HTTP/1.1 204 No Content", "", ""), kept(204, "")],
  ["304 with the length of another", lines("HTTP/1.1 304 Not Modified", "content-length: 9", "", ""), kept(304, "")],
  ["spaces around values", lines("HTTP/1.1 200 OK", "Content-Length: \t 2 \t", "", "ok"), kept(200, "ok")],
  ["lines without returns", Buffer.from("HTTP/1.1 200 OK\ncontent-length: 2\n\nok"), kept(200, "ok")],
  ["a folded line", lines("HTTP/1.1 200 OK", "x: a", "  b: c", "content-length: 2", "", "ok"), kept(200, "ok")],
  [
    "chunks",
    lines("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "5", "hello", "6", " world", "0", "", ""),
    kept(200, "hello world"),
  ],
  [
    "chunks with extensions and trailers",
    lines("HTTP/1.1 200 OK", "Transfer-Encoding: Chunked", "", 'A ;x="y"', "0123456789", "0;z", "x-sum: 1", "", ""),
    kept(200, "0123456789"),
  ],
  [
    "chunks that hold what looks like their end",
    lines("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "7", "\r\n0\r\n\r\n", "0", "", ""),
    kept(200, "\r\n0\r\n\r\n"),
  ],
  [
    "chunks and a length",
    lines("HTTP/1.1 200 OK", "content-length: 3", "transfer-encoding: chunked", "", "1", "a", "0", "", ""),
    closed(200, "a"),
  ],
  [
    "others before it",
    lines("HTTP/1.1 100 Continue", "", "HTTP/1.1 103 Early Hints", "link: x", "", "HTTP/1.1 204 No Content", "", ""),
    kept(204, ""),
  ],
  ["a close", lines("HTTP/1.1 200 OK", "connection: foo, Close", "content-length: 2", "", "ok"), closed(200, "ok")],
  ["HTTP/1.0", lines("HTTP/1.0 200 OK", "connection: keep-alive", "content-length: 2", "", "ok"), closed(200, "ok")],
  ["more than its length", lines("HTTP/1.1 200 OK", "content-length: 2", "", "okHTTP"), closed(200, "ok")],
  ["more than no body", lines("HTTP/1.1 204 OK", "", "more"), closed(204, "")],
  ["less than its length", lines("HTTP/1.1 200 OK", "content-length: 5", "", "he"), cut(200, "he")],
  ["no end of its chunks", lines("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "5", "hel"), cut(200, "hel")],
  ["no end of its head", lines("HTTP/1.1 200 OK", "content-length: 5"), cut(undefined, undefined)],
  ["the beginning of a version", Buffer.from("HTT"), cut(undefined, undefined)],
  ["nothing", Buffer.alloc(0), cut(undefined, undefined)],
];

test.each(answers)("an answer with %s, in whichever pieces", (_, bytes, expected) => {
  expect(read([bytes])).toEqual(expected);
  fc.assert(fc.property(cuts(bytes), (pieces) => void expect(read(pieces)).toEqual(expected)));
});

test("an answer without a length ends with its connection", () => {
  const bytes = lines("HTTP/1.1 200 OK", "", "hello");
  expect(read([bytes])).toEqual(cut(200, "hello"));
  fc.assert(fc.property(cuts(bytes), (pieces) => void expect(read(pieces, true)).toEqual(closed(200, "hello"))));
});

test("an answer with a length does not", () => {
  const bytes = lines("HTTP/1.1 200 OK", "content-length: 9", "", "hello");
  expect(read([bytes], true)).toEqual(cut(200, "hello"));
});

test.each<[what: string, bytes: Buffer, reason: string, status?: number]>([
  ["another protocol", Buffer.from("SSH-2.0-x\r\n"), 'expected an answer of HTTP/1.1, got "SSH-2'],
  ["HTTP/2's settings, which have no line", Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0]), 'HTTP/1.1, got "???????'],
  ["what a terminal obeys", Buffer.from("\u009b31mred, \u001b[31mred"), "?31m"],
  ["no status", lines("HTTP/1.1 OK", "", ""), 'got "HTTP/1.1 OK"'],
  ["a status of four", lines("HTTP/1.1 2000 OK", "", ""), 'got "HTTP/1.1 2000 OK"'],
  ["no header", lines("HTTP/1.1 200 OK", "content-length 5", "", "hello"), 'a header, got "content-length 5"'],
  ["no name", lines("HTTP/1.1 200 OK", ": 5", "", "hello"), 'a header, got ": 5"'],
  [
    "a length below zero",
    lines("HTTP/1.1 200 OK", "content-length: -5", "", ""),
    'a length as content-length, got "-5"',
    200,
  ],
  ["two lengths", lines("HTTP/1.1 200 OK", "content-length: 5", "content-length: 6", "", ""), 'got "5, 6"', 200],
  [
    "no size of a chunk",
    lines("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "x", ""),
    'the size of a chunk, got "x"',
    200,
  ],
  [
    "a chunk beyond its size",
    lines("HTTP/1.1 200 OK", "transfer-encoding: chunked", "", "2", "abc", "0", "", ""),
    "expected a chunk of 2 bytes, got more",
    200,
  ],
  ["a line without an end", Buffer.from(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(20_000)}`), "16384 bytes of headers"],
  ["many headers", Buffer.from(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(9_000)}`), "16384 bytes of headers"],
  ["a large body", lines("HTTP/1.1 200 OK", "", "x".repeat(70_000)), "at most 65536 bytes, got more", 200],
])("%s is refused", (_, bytes, reason, status) => {
  fc.assert(
    fc.property(cuts(bytes), (pieces) => {
      const parser = createAnswerParser();
      expect(() => pieces.forEach((piece) => parser.feed(piece))).toThrow(reason);
      // With its head an answer counts.
      expect(parser.answer()?.status).toBe(status);
    }),
    { numRuns: 20 },
  );
});

test("whatever comes, it is read or refused, and all pieces of it alike", () => {
  const part = fc.constantFrom(
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 \r\n",
    "content-length: 3\r\n",
    "\r\n",
    "\n",
    "3\r\n",
    "abc",
    "0\r\n",
    "transfer-encoding: chunked\r\n",
    "connection: close\r\n",
    ":",
    ";",
    " ",
  );
  const outcome = (pieces: readonly Buffer[]): unknown => {
    try {
      return read(pieces, true);
    } catch (error) {
      return (error as Error).message;
    }
  };
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 12 }).map((parts) => Buffer.from(`HTTP/1.1 200 OK\r\n${parts.join("")}`)),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (bytes, sizes) => void expect(outcome(divide(bytes, sizes))).toEqual(outcome([bytes])),
    ),
    { numRuns: 2_000 },
  );
});

test.each<[what: string, answer: (response: ServerResponse) => void, expected: Read]>([
  ["a length", (response) => response.writeHead(200, { "content-length": 2 }).end("ok"), kept(200, "ok")],
  [
    "chunks",
    (response) => void (response.write("one,"), response.write("two,"), response.end("three")),
    kept(200, "one,two,three"),
  ],
  [
    "trailers",
    (response) => {
      response.writeHead(200, { trailer: "x-sum" }).write("sum");
      response.addTrailers({ "x-sum": "1" });
      response.end();
    },
    kept(200, "sum"),
  ],
  [
    "interim answers",
    (response) => {
      response.writeContinue();
      response.writeProcessing();
      response.writeEarlyHints({ link: "</x>; rel=preload" });
      response.writeHead(429, { "retry-after": "1" }).end();
    },
    kept(429, ""),
  ],
  ["no content", (response) => response.writeHead(204).end(), kept(204, "")],
  ["a close", (response) => response.writeHead(500, { connection: "close" }).end("no"), closed(500, "no")],
])("node:http answers with %s", async (_, answer, expected) => {
  const server = createServer((request, response) => request.resume().on("end", () => answer(response)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const bytes = await rawAnswer((server.address() as AddressInfo).port);
  fc.assert(fc.property(cuts(bytes), (pieces) => void expect(read(pieces)).toEqual(expected)));
});

/** What a server sends until it has been silent for a while. */
function rawAnswer(port: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(500, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks)));
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
  });
}

/** All ways to cut bytes into pieces, some of them empty. */
function cuts(bytes: Buffer): fc.Arbitrary<Buffer[]> {
  return fc
    .array(fc.nat(bytes.length), { maxLength: 12 })
    .map((places) => [0, bytes.length].concat(places).toSorted((a, b) => a - b))
    .map((places) => places.slice(1).map((place, n) => bytes.subarray(places[n], place)));
}

function divide(bytes: Buffer, sizes: Iterable<number>): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

test.each(["101 Switching Protocols", "099 Nothing"])("an answer %s is none", (status) => {
  expect(() => read([lines(`HTTP/1.1 ${status}`, "", "")])).toThrow(/^expected a status from 200 on, got \d+$/);
});

test.each([
  ["announcements", "", "HTTP/1.1 100 Continue\r\n\r\n"],
  ["extensions of chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", `1;${"x".repeat(16_000)}\r\nx\r\n`],
])("endless %s are cut off", (_, head, part) => {
  const parser = createAnswerParser();
  const feedAll = (): void => {
    parser.feed(Buffer.from(head));
    for (let bytes = 0; bytes < 1_000_000; bytes += part.length) parser.feed(Buffer.from(part));
  };
  expect(feedAll).toThrow("expected an answer of at most 262144 bytes, got more");
});
