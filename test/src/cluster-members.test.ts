import { createServer } from "node:http";
import { waitFor } from "@telltale/testkit";
import { afterEach, expect, test } from "vitest";
import { request } from "./load.js";
import { fixture, REGISTER, runProgram } from "./run-program.js";
import { fallen, type Scraped, scrape, scrapeOf, seriesOf, sumOf, tryScrape } from "./scrape.js";
import { freePort } from "./servers/index.js";
import { type RunningProgram, startProgram } from "./start-program.js";

const undo: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

function start(program: string, env: Record<string, string>): RunningProgram {
  const running = startProgram(fixture(program), { env });
  undo.push(() => running.kill());
  return running;
}

/** A server of its own, and where it can be asked. */
async function startServer(port: number, env: Record<string, string> = {}) {
  const program = start("cluster/server.cjs", { OTEL_EXPORTER_PROMETHEUS_PORT: String(port), APP_PORT: "0", ...env });
  const [, , app] = (await program.said(/^listening (\d+) (\d+)/, 1))[0] as RegExpExecArray;
  await program.said(/ watches /, 1);
  return { program, url: `http://127.0.0.1:${app}/x` };
}

test("a program alone has its endpoint when it listens itself", async () => {
  const env = { OTEL_EXPORTER_PROMETHEUS_PORT: String(await freePort()), TELLTALE_LOG: "silent" };
  const { stdout } = await runProgram(fixture("scrape-at-once.cjs"), { nodeOptions: ["--require", REGISTER], env });
  expect(stdout).toBe("200\n");
});

const served = (page: Scraped): number => sumOf(page, "served_total");

for (const port of ["0", "one of its own"]) {
  test(`threads report to their process, port ${port}; what they counted stays when they end`, async () => {
    const own = port === "0" ? port : String(await freePort());
    const program = start("cluster/threads.cjs", { OTEL_EXPORTER_PROMETHEUS_PORT: own });
    const urls = (await program.said(/^listening \d (\d+)/, 3)).map(([, found]) => `http://127.0.0.1:${found}`);
    const [, metrics = ""] = (await program.said(/metrics: (http\S+)/, 1))[0] as RegExpExecArray;
    const ask = async (thread: number, path: string): Promise<void> => void (await request(urls[thread] + path));
    for (let n = 0; n < 3; n++) for (let times = 0; times <= n; times++) await ask(n, "/");
    let page = await scrape(metrics);
    expect(served(page)).toBe(6);
    expect(sumOf(page, "http_server_request_duration_seconds_count")).toBe(6);
    // The process has one memory and one clock.
    expect(sumOf(page, "process_memory_usage_bytes")).toBeLessThan(400e6);
    expect(seriesOf(page, "target_info")).toHaveLength(1);

    const before = page;
    await ask(0, "/close");
    await ask(1, "/exit");
    await program.said(/^thread ended/, 2);
    page = await scrape(metrics);
    expect(served(page)).toBe(8);
    await ask(2, "/terminate");
    await program.said(/^thread ended/, 3);
    page = await scrape(metrics);
    // Whoever is torn down between two scrapes takes along what came after the first.
    expect(served(page)).toBe(8);
    expect(fallen(before, page)).toEqual([]);
    expect(seriesOf(page, "http_server_active_requests")).toEqual([]);
  });
}

test("whoever takes over knows the dead too, and gives back what it inherited", { timeout: 40_000 }, async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/metrics`;
  const members = [];
  for (let n = 0; n < 4; n++) members.push(await startServer(port));
  for (const [n, member] of members.entries()) for (let times = 0; times < 10 ** n; times++) await request(member.url);
  let before = await scrape(url);
  expect(served(before)).toBe(1111);
  // Killed one after the other, whoever serves; what remains has all that was ever shown.
  for (let left = 3; left > 0; left--) {
    const pid = Number(/process_pid="(\d+)"/.exec(seriesOf(before, "target_info")[0]?.[0] ?? "")?.[1]);
    const beganMs = performance.now();
    process.kill(pid, "SIGKILL");
    let after: Scraped | undefined;
    while (after === undefined && performance.now() - beganMs < 5_000) after = await tryScrape(url);
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    expect(fallen(before, after as Scraped)).toEqual([]);
    expect(served(after as Scraped)).toBe(1111);
    // The others find the new one within the second, and one of them is told what it must inherit.
    before = await scrapeOf(left, url);
    expect(served(before)).toBe(1111);
  }
});

test(
  "another service, a stranger on the port: told as it is, and served once the port is free",
  { timeout: 40_000 },
  async () => {
    const port = await freePort();
    const stranger = createServer((_, response) => response.end("not ours"));
    await new Promise<void>((resolve) => {
      stranger.listen(port, "127.0.0.1", resolve);
    });
    undo.push(() => void stranger.close());
    const { program, url } = await startServer(port, { OTEL_SERVICE_NAME: "one" });
    expect(program.stderr()).toContain(`port ${port} is in use`);
    await request(url);
    stranger.close();
    stranger.closeAllConnections();
    await program.said(/metrics are now served/, 1);
    expect(served(await scrape(`http://127.0.0.1:${port}/metrics`))).toBe(1);

    const other = await startServer(port, { OTEL_SERVICE_NAME: "two" });
    await request(other.url);
    expect(other.program.stderr()).toContain(`port ${port} is in use`);
    expect(served(await scrape(`http://127.0.0.1:${port}/metrics`))).toBe(1);
  },
);

test("gauges of several processes become one as their rules say, or stay apart", async () => {
  const port = await freePort();
  const members = [];
  for (let n = 0; n < 3; n++) members.push(await startServer(port));
  const url = `http://127.0.0.1:${port}/metrics`;
  const page = await scrapeOf(3, url);
  const pids = members.map(({ program }) => program.pid);
  expect(
    seriesOf(page, "pid")
      .map(([, pid]) => pid)
      .sort(),
  ).toEqual(pids.sort());
  const numbers = seriesOf(page, "pid").map(([series]) => /telltale_worker="(\d+)"/.exec(series)?.[1]);
  expect(numbers.sort()).toEqual(["0", "1", "2"]);
  expect(seriesOf(page, "process_uptime_seconds")).toHaveLength(1);
  expect(sumOf(page, "process_memory_usage_bytes")).toBeGreaterThan(100e6);
  // A number is taken over from whoever ended.
  const last = members[2]?.program as RunningProgram;
  process.kill(last.pid, "SIGKILL");
  await waitFor(() => last.child.signalCode !== null, "its end");
  await startServer(port);
  const after = await scrapeOf(3, url);
  expect(
    seriesOf(after, "pid")
      .map(([series]) => /telltale_worker="(\d+)"/.exec(series)?.[1])
      .sort(),
  ).toEqual(["0", "1", "2"]);
});

test("whoever serves and hangs keeps nobody from ending", async () => {
  const port = await freePort();
  const [first, second] = [await startServer(port), await startServer(port)];
  await request(second.url);
  process.kill(first.program.pid, "SIGSTOP");
  undo.push(() => void process.kill(first.program.pid, "SIGCONT"));
  const beganMs = performance.now();
  process.kill(second.program.pid, "SIGTERM");
  await waitFor(() => second.program.child.exitCode === 0, "its end");
  expect(performance.now() - beganMs).toBeLessThan(2_000);
  process.kill(first.program.pid, "SIGCONT");
  // What it said before it went has been waiting.
  expect(served(await scrape(`http://127.0.0.1:${port}/metrics`))).toBe(1);
});
