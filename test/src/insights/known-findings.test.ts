import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { REGISTER, runProgram } from "../run-program.js";
import { freePort } from "../servers/free-port.js";

/** Serves one request that asks itself for eight users, and prints what the metrics count. */
const APP = `
  const http = require("node:http");
  const server = http.createServer(async (request, response) => {
    if (request.url === "/") for (let id = 1; id <= 8; id++) await (await fetch(base + "/users/" + id)).text();
    else await new Promise((done) => setTimeout(done, 5));
    response.end("ok");
  });
  let base = "";
  server.listen(0, "127.0.0.1", async () => {
    base = "http://127.0.0.1:" + server.address().port;
    await (await fetch(base + "/")).text();
    await new Promise((done) => setTimeout(done, 50));
    const page = await (await fetch("http://127.0.0.1:" + process.env.OTEL_EXPORTER_PROMETHEUS_PORT + "/metrics")).text();
    for (const line of page.split("\\n")) if (line.startsWith("telltale_findings_total")) console.log(line);
    server.close();
    server.closeAllConnections();
  });
`;
const ACCEPTED = { kind: "repeated_http_call", endpoint: "GET", note: "the other service has no list yet" };
const REPAIRED = { kind: "n_plus_one", endpoint: "GET /repaired" };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-known-"));
  writeFileSync(join(folder, "app.cjs"), APP);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(file: string, text: string | undefined, env: Record<string, string> = {}) {
  if (text !== undefined) writeFileSync(join(folder, file), text);
  const { code, stdout, stderr } = await runProgram(join(folder, "app.cjs"), {
    nodeOptions: ["--require", REGISTER],
    cwd: folder,
    env: {
      OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePort()),
      OTEL_TRACES_EXPORTER: "none",
      TELLTALE_FINDINGS_LOG: "true",
      ...env,
    },
  });
  rmSync(join(folder, file), { force: true });
  expect(code).toBe(0);
  return {
    logged: stderr.split("\n").filter((line) => line.includes('"repeated_http_call"')).length,
    said: stderr.split("\n").filter((line) => line.startsWith("telltale:") && /todo|find|entries/.test(line)),
    counted: stdout.trim().split("\n"),
  };
}
const counted = (accepted: string) =>
  new RegExp(`^telltale_findings_total\\{${accepted}telltale_finding_kind="repeated_http_call"\\} 1$`);

test("without a file a finding is logged and counted", async () => {
  const { logged, said, counted: lines } = await run("telltale.todo.json", undefined);
  expect({ logged, said }).toEqual({ logged: 1, said: [] });
  expect(lines).toEqual([expect.stringMatching(counted(""))]);
});

test("an accepted finding is not logged, and counted as accepted; what has not occurred is told on request", async () => {
  const text = JSON.stringify({ findings: [ACCEPTED, REPAIRED] });
  const result = await run("telltale.todo.json", text, { TELLTALE_LOG: "debug" });
  expect(result.logged).toBe(0);
  expect(result.counted).toEqual([expect.stringMatching(counted('telltale_finding_accepted="true",'))]);
  expect(result.said).toEqual(["telltale: accepted findings that did not occur: n_plus_one GET /repaired"]);
});

test.each([
  ["telltale.todo.json", "{ nonsense", /^telltale: telltale\.todo\.json: it is no JSON: .*; entries used: 0, /],
  [
    "telltale.todo.json",
    JSON.stringify({ findings: [{ kind: "n+1", endpoint: "GET" }, REPAIRED] }),
    /^telltale: telltale\.todo\.json: findings\[0\]\.kind must be one of slow_query, .*; entries used: 1, /,
  ],
  ["other.json", undefined, /^telltale: other\.json cannot be read: ENOENT.*; no finding is accepted$/],
])("a bad %s is one line, and every finding is told", async (file, text, line) => {
  const {
    logged,
    said,
    counted: lines,
  } = await run(file, text, {
    ...(file !== "telltale.todo.json" && { TELLTALE_KNOWN_FINDINGS: file }),
  });
  expect(said).toEqual([expect.stringMatching(line)]);
  expect(logged).toBe(1);
  expect(lines).toEqual([expect.stringMatching(counted(""))]);
});

test("a file of another name is accepted by the environment", async () => {
  const text = JSON.stringify({ findings: [ACCEPTED] });
  const { logged } = await run("known.json", text, { TELLTALE_KNOWN_FINDINGS: "known.json" });
  expect(logged).toBe(0);
});
