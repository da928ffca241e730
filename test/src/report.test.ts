import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { runProgram } from "./run-program.js";
import { freePort } from "./servers/index.js";

const CLI = fileURLToPath(new URL("../../packages/telltale/telltale.cjs", import.meta.url));
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runProgram(CLI, { args: ["report", ...args], env });

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const HOSTILE = "a\u001b[31m\u001b]0;title\u0007\u009b2J\r\b<b>\u202eevil\u2028\n next";

const slow = {
  id: "1",
  kind: "slow_query",
  severity: "warning",
  title: `SELECT products took 316 ms in GET /search ${HOSTILE}`,
  cause: `The time is the server's. ${HOSTILE}`,
  advice: "Look at its plan with EXPLAIN (ANALYZE, BUFFERS); an index on the columns it filters by is the usual cure.",
  page: "docs/findings/slow_query.md",
  endpoint: `GET /search${HOSTILE}`,
  queryText: `SELECT ${"x".repeat(300)} FROM products WHERE name = 商品商品商品商品商品商品商品商品商品商品商品 ${HOSTILE}`,
  count: 1_234,
  firstSeen: "2026-01-01T00:00:00.000Z",
  lastSeen: "2026-01-01T00:10:00.000Z",
  lostMs: 431_200,
  durationMs: 316,
  waitMs: 0,
  againstMs: 100,
  callSite: { file: HOSTILE, line: 9, function: HOSTILE },
  plan: HOSTILE,
  traceId: HOSTILE,
  sampled: true,
};
const leak = {
  ...slow,
  id: "2",
  kind: "connection_leak",
  severity: "error",
  endpoint: undefined,
  subject: "db:5432/shop",
  count: 1,
  lostMs: 0,
};
const unknown = { ...slow, id: "3", kind: `newer_kind${HOSTILE}`, severity: HOSTILE };
const query = {
  system: "postgresql",
  querySummary: `SELECT products ${HOSTILE}`,
  queryText: "SELECT id FROM products WHERE a = $1",
  calls: 12_345_678,
  totalMs: 9_999_999,
  share: 0.5,
  waitMs: 0,
  meanMs: 0.81,
  maxMs: 31_000,
  isDegraded: true,
};
const page = {
  telltale: "findings",
  format: 1,
  version: "0.1.0",
  service: `shop${HOSTILE}`,
  time: "2026-01-01T00:14:30.000Z",
  since: "2026-01-01T00:00:00.000Z",
  processes: 4,
  silent: 1,
  findings: [slow, leak, unknown],
  queries: [query, { ...query, queryText: "SELECT id FROM products WHERE b = $1" }],
  totals: { findings: 5, queries: 9, queriesMs: 1 },
};
const answer =
  (body: unknown): RequestListener =>
  ({ url }, response) => {
    if (url?.split("?")[0] !== "/findings") response.writeHead(404).end();
    else response.writeHead(200, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));
  };

/** Columns of a line: what East Asia writes takes two. */
const columns = (line: string): number =>
  [...line].reduce((sum, one) => sum + (/\p{Script=Han}/u.test(one) ? 2 : 1), 0);

describe("what it prints", () => {
  test("says that a request has no route", async () => {
    const findings = [{ ...slow, endpoint: "GET" }];
    const { stdout } = await run([await serve(answer({ ...page, findings }))]);
    expect(stdout).toMatch(/^ 1▲ Slow query in GET without a route {2}/m);
  });

  test("names the page of a finding where it can be opened, wherever the app is", async () => {
    const cwd = tmpdir();
    const { stdout } = await runProgram(CLI, { args: ["report", await serve(answer(page))], cwd });
    const [, named = ""] = /^ +more +(\S+)$/m.exec(stdout) ?? [];
    expect(named).toMatch(/docs\/findings\/slow_query\.md$/);
    expect(existsSync(resolve(cwd, named))).toBe(true);
  });

  test("is 80 columns of text without anything that acts on a terminal", async () => {
    const { code, stdout, stderr } = await run([await serve(answer(page))]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    for (const line of stdout.split("\n")) expect(columns(line), line).toBeLessThanOrEqual(80);
    expect(stdout).toContain("shop");
    expect(stdout).toContain("4 processes, 1 more did not answer");
    expect(stdout).toMatch(/^ 1▲ Slow query in GET \/search.* {2}7\.2 min lost · 1,234 times$/m);
    expect(stdout).toMatch(/^ 2▲ Connection leak of db:5432\/shop +once$/m);
    expect(stdout).toMatch(/^ 3▲ newer_kind/m);
    expect(stdout).toContain("and 2 more");
    expect(stdout).toMatch(/^ 50\.0 % +2\.8 h +12\.3 M +0\.81 ms +31\.0 s {2}SELECT products a/m);
    expect(stdout).toMatch(/^ +slower than it was$/m);
    expect(stdout).toContain("… WHERE b = $1");
    expect(stdout).toContain("and 7 more");
  });

  test("shows a plan as the tree that it is, and why there is none", async () => {
    const plan = [
      "Limit  (cost=16056.23..16057.39 rows=10 width=63)",
      "  -> Sort  (cost=15056.21..15368.71 rows=125000 width=63)",
      "       Sort Key: books.published DESC",
    ].join("\n");
    const asked = { ...slow, plan: undefined, evidence: { not_explained: "it locks rows" } };
    const deep = Array.from({ length: 40 }, (_, n) => `${" ".repeat(n)}-> Step ${n} ${"x".repeat(80)}`).join("\n");
    const findings = [{ ...slow, plan }, asked, { ...slow, plan: deep }];
    const { stdout } = await run([await serve(answer({ ...page, findings }))]);
    expect(stdout).toContain(`
    plan   Limit rows=10
             -> Sort rows=125000
                  Sort Key: books.published DESC
    trace`);
    expect(stdout).toContain("\n    plan   none: it locks rows\n");
    expect(stdout).toMatch(/-> Step 12 x+…\n +…\n {4}trace/);
    for (const line of stdout.split("\n")) expect(columns(line), line).toBeLessThanOrEqual(80);
  });

  test("shapes of one name are told apart in the width that there is", async () => {
    const texts = [
      "SELECT count(*) FROM books",
      "SELECT id, title FROM books WHERE author_id = $1",
      "SELECT id, title FROM books WHERE isbn = $1",
    ];
    const queries = texts.map((queryText) => ({ ...query, querySummary: "SELECT books", queryText }));
    const { stdout } = await run([await serve(answer({ ...page, queries }))]);
    const lines = stdout.split("\n").map((line) => line.trim());
    for (const text of texts) expect(lines).toContain(text);
  });

  test("has colours where they are asked for, and none otherwise", async () => {
    const url = await serve(answer(page));
    // eslint-disable-next-line no-control-regex
    const escapes = /\u001b\[\d+m/g;
    expect((await run([url], { FORCE_COLOR: "1" })).stdout).toMatch(escapes);
    const { stdout } = await run([url], { FORCE_COLOR: "1" });
    // Our own, and no other.
    expect(stdout.replaceAll(escapes, "").replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect((await run([url], { NO_COLOR: "1" })).stdout).not.toMatch(escapes);
  });

  test("says so where nothing was found", async () => {
    const url = await serve(
      answer({ ...page, findings: [], queries: [], totals: { findings: 0, queries: 0, queriesMs: 0 } }),
    );
    expect((await run([url])).stdout).toContain("Nothing was found.");
    expect((await run([url, "--kind", "n_plus_one"])).stdout).toContain("Nothing of kind n_plus_one was found.");
  });

  test("what is accepted is neither shown nor failed on", async () => {
    const url = await serve(
      answer({
        ...page,
        findings: [
          { ...slow, accepted: true },
          { ...leak, accepted: true },
        ],
      }),
    );
    const { code, stdout } = await run([url, "--fail-on", "info"]);
    expect(code).toBe(0);
    expect(stdout).not.toContain("Slow query in");
    expect(stdout).toContain("and 2 accepted as known");
  });

  test("--kind, --limit", async () => {
    const url = await serve(answer(page));
    const { stdout } = await run([url, "--kind", "connection_leak,n_plus_one"]);
    expect(stdout).toContain("Connection leak");
    expect(stdout).not.toMatch(/Slow query in|that cost most/);
    expect((await run([url, "--limit", "1"])).stdout).toContain("and 4 more; --limit 0 shows all");
    expect((await run([url, "--limit", "0"])).stdout).toMatch(/^ 3▲/m);
  });

  test("--json is all of it, and harmless where it is shown", async () => {
    const { code, stdout } = await run([await serve(answer(page)), "--json", "--kind", "slow_query"]);
    expect(code).toBe(0);
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}<]/u);
    expect(JSON.parse(stdout)).toEqual({ ...page, findings: [slow] });
  });

  test.each<[string[], number]>([
    [["--fail-on", "error"], 1],
    [["--fail-on", "info", "--kind", "n_plus_one"], 0],
    [["--fail-on", "error", "--kind", "slow_query"], 0],
    [["--fail-on", "warning", "--kind", "slow_query"], 1],
    [["--fail-on", "warning", "--json"], 1],
  ])("%j exits with %i", async (args, expected) => {
    expect((await run([await serve(answer(page)), ...args])).code).toBe(expected);
  });

  test.each([
    "127.0.0.1:{}",
    "http://127.0.0.1:{}",
    "http://localhost:{}/",
    "http://127.0.0.1:{}/metrics",
    "{}",
    "http://127.0.0.1:{}/findings",
  ])("%s is understood", async (form) => {
    const address = await serve(answer(page));
    expect((await run([form.replace("{}", address.split(":")[1] ?? "")])).code).toBe(0);
  });

  test("without a url it asks where the environment says", async () => {
    const address = await serve(answer(page));
    const { code } = await run([], { OTEL_EXPORTER_PROMETHEUS_PORT: address.split(":")[1] ?? "" });
    expect(code).toBe(0);
  });
});

describe("what it cannot read it explains, and exits with 2", () => {
  test("nothing listens", async () => {
    const { code, stdout, stderr } = await run([String(await freePort())]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(
      /^telltale: nothing listens on 127\.0\.0\.1:\d+: is the service running, and watched by telltale\/register\?/,
    );
  });

  test.each<[string, RequestListener, RegExp]>([
    [
      "a web page",
      (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end(`<h1>${HOSTILE}</h1>`),
      /^telltale: 127\.0\.0\.1:\d+ is no endpoint of Telltale: http:\S+ answered 200 text\/html$/,
    ],
    ["other JSON", answer({ status: "ok" }), /is no endpoint of Telltale/],
    [
      "JSON that is none",
      (_, response) => void response.setHeader("content-type", "application/json").end("{"),
      /is no endpoint of Telltale/,
    ],
    ["a list that is none", answer({ ...page, findings: [null] }), /a newer Telltale|no endpoint/],
    [
      "numbers that are none",
      answer({ ...page, findings: [{ ...slow, lostMs: "1" }] }),
      /answered what no Telltale writes/,
    ],
    ["a newer one", answer({ ...page, format: 2 }), /has a newer Telltale than this/],
    [
      "metrics alone",
      (_, response) => void response.writeHead(404, { "content-type": "text/plain" }).end("Metrics are at /metrics\n"),
      /has metrics and no findings: its metrics\.findings is "none", or its Telltale is older/,
    ],
    [
      "one that shows them to its machine only",
      (_, response) =>
        void response
          .writeHead(403, { "content-type": "text/plain" })
          .end(`This is shown to the machine only\u001b[2J\n`),
      /refused: This is shown to the machine only/,
    ],
    ["one that hangs up", (request) => request.socket.destroy(), /cannot be read: socket hang up/],
    [
      "one without an end",
      (_, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        const more = (): void => void (response.destroyed || response.write(" ".repeat(1_000_000), more));
        more();
      },
      /cannot be read: it answered more than 8388608 bytes/,
    ],
  ])("%s", async (_, listener, said) => {
    const { code, stdout, stderr } = await run([await serve(listener)]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.trimEnd()).toMatch(said);
    expect(stderr.trimEnd()).not.toMatch(/\p{Cc}/u);
  });

  test("what is secret in an address is not said, whatever comes of it", async () => {
    const address = (await serve(answer(page))).replace(/^/, "http://reader:hunter2@");
    for (const url of [`${address}/?token=hunter2`, `${address}/elsewhere?token=hunter2`]) {
      const { stdout, stderr } = await run([url]);
      expect(stdout + stderr).toMatch(/http:\/\/127\.0\.0\.1:\d+\/(?:findings|elsewhere)/);
      expect(stdout + stderr).not.toContain("hunter2");
    }
  });

  test("a text of megabytes is cut before it is divided into lines", async () => {
    const { code, endMs } = await run([
      await serve(answer({ ...page, findings: [{ ...slow, title: "x".repeat(7e6) }] })),
    ]);
    expect(code).toBe(0);
    // All of it takes half a minute.
    expect(endMs).toBeLessThan(10_000);
  });

  test.each<[string[], RegExp]>([
    [["ftp://x"], /url must be that of an endpoint such as http:\/\/127\.0\.0\.1:9464\/metrics, got ftp:\/\/x/],
    [["1", "2"], /one url at a time/],
    [["--kind", "n+1"], /--kind must be one of slow_query, n_plus_one, .*, got "n\+1"/],
    [["--limit", "-1"], /--limit|ambiguous/],
    [["--limit", "many"], /--limit must be a whole number/],
    [["--fail-on", "bad"], /--fail-on must be one of info, warning, error, got "bad"/],
    [["--nothing"], /--nothing.*see telltale report --help/],
  ])("%j", async (args, said) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(said);
  });

  test("--help says every option", async () => {
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    for (const option of ["--kind", "--limit", "--json", "--fail-on", "NO_COLOR"]) expect(stdout).toContain(option);
  });
});
