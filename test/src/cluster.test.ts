import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { type Load, request, startLoad } from "./load.js";
import { fixture, programLines, REGISTER, runProgram, telltaleLines } from "./run-program.js";
import { fallen, type Scraped, scrape, scrapeOf, seriesOf, sumOf, tryScrape } from "./scrape.js";
import { freePort, testNodes } from "./servers/index.js";
import { type RunningProgram, type StartOptions, startProgram } from "./start-program.js";

const undo: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Cluster {
  readonly program: RunningProgram;
  readonly app: string;
  readonly metrics: string;
  /** Worker processes that serve, in the order in which they came. */
  workers(atLeast: number): Promise<number[]>;
}

async function startCluster(
  workers: number,
  options: StartOptions = {},
  fixtureName = "cluster/primary.cjs",
): Promise<Cluster> {
  const [appPort, port] = [await freePort(), await freePort()];
  const program = startProgram(fixture(fixtureName), {
    ...options,
    env: {
      OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
      APP_PORT: String(appPort),
      WORKERS: String(workers),
      ...options.env,
    },
  });
  undo.push(() => program.kill());
  const found = async (atLeast: number): Promise<number[]> =>
    (await program.said(/^listening (\d+)/, atLeast)).map(([, pid]) => Number(pid));
  await found(workers);
  return { program, app: `http://127.0.0.1:${appPort}`, metrics: `http://127.0.0.1:${port}/metrics`, workers: found };
}

function load(url: string, connections: number): Load {
  const driver = startLoad(url, connections);
  undo.push(() => driver.stop());
  return driver;
}

/** Scrapes again and again, and keeps what fell. */
function watch(url: string) {
  const fell: string[] = [];
  const pages: Scraped[] = [];
  const state = { isRunning: true };
  let longestGapMs = 0;
  const done = (async () => {
    let lastMs = performance.now();
    while (state.isRunning) {
      const page = await tryScrape(url);
      const before = pages.at(-1);
      if (page !== undefined) {
        if (before !== undefined) fell.push(...fallen(before, page));
        pages.push(page);
        longestGapMs = Math.max(longestGapMs, performance.now() - lastMs);
        lastMs = performance.now();
      }
      await pause(20);
    }
  })();
  undo.push(() => {
    state.isRunning = false;
    return done;
  });
  return { fell, pages, longestGapMs: () => longestGapMs };
}

const served = (page: Scraped): number => sumOf(page, "served_total", 'what="x"');
const requests = (page: Scraped): number => sumOf(page, "http_server_request_duration_seconds_count");
const buckets = (page: Scraped): number => sumOf(page, "http_server_request_duration_seconds_bucket", 'le="+Inf"');
const sizes = (page: Scraped): number => sumOf(page, "size_count");

describe.each(await testNodes())("a cluster on Node $version", ({ binary: node }) => {
  test(
    "four workers under load, ended in order and begun anew: one port, exact sums, and nothing falls",
    { timeout: 60_000 },
    async () => {
      const { program, app, metrics, workers } = await startCluster(4, { node });
      const first = await workers(4);
      const driver = load(`${app}/x`, 8);
      const seen = watch(metrics);
      // By the app's handler and process.exit, by Node's own, and by leaving the cluster.
      const ways = ["SIGTERM", "SIGUSR2", "SIGTERM", "SIGUSR2"] as const;
      for (const [n, how] of ways.entries()) {
        await pause(250);
        process.kill(first[n] as number, how);
        await workers(5 + n);
      }
      await pause(250);
      await driver.stop();

      const page = await scrapeOf(4, metrics);
      expect(seen.fell).toEqual([]);
      expect(seen.pages.length).toBeGreaterThan(10);
      // A worker that leaves may close a connection that it never took: that request was answered, and counted, by nobody.
      expect(served(page)).toBe(driver.all());
      for (const of of [requests, buckets, sizes]) expect(of(page)).toBe(driver.all());
      expect(driver.all()).toBeGreaterThan(200);
      // Eight processes have answered, four of them live, and one page is of one process.
      expect(driver.answers.size).toBe(8);
      expect(seriesOf(page, "target_info").map(([labels]) => /process_pid="(\d+)"/.exec(labels)?.[1])).toEqual([
        String(program.pid),
      ]);
      expect(seriesOf(page, "process_uptime_seconds")).toHaveLength(1);
      expect(telltaleLines(program.stderr()).every((line) => line.includes(`metrics: ${metrics}`))).toBe(true);
    },
  );

  test("the app sees its own messages and nothing of ours, and a worker ends by itself", async () => {
    const run = (nodeOptions: string[], port: string) =>
      runProgram(fixture("cluster/what-it-sees.cjs"), {
        node,
        nodeOptions,
        env: { OTEL_EXPORTER_PROMETHEUS_PORT: port, OTEL_TRACES_EXPORTER: "none" },
      });
    const alone = await run([], "0");
    for (const port of ["0", String(await freePort())]) {
      const watched = await run(["--require", REGISTER], port);
      expect(watched.stdout).toBe(alone.stdout);
      expect(programLines(watched.stderr)).toEqual(programLines(alone.stderr));
      expect(watched.code).toBe(0);
    }
    expect(alone.stdout).toContain('heard {"app":"says"}');
  });
});

test("workers that are killed lose at most what came after the last scrape", { timeout: 60_000 }, async () => {
  const { app, metrics, workers } = await startCluster(4);
  const first = await workers(4);
  const driver = load(`${app}/x`, 8);
  const seen = watch(metrics);
  let mayBeLost = 0;
  for (let n = 0; n < 4; n++) {
    await pause(200);
    const victim = first[n] as number;
    const before = driver.answers.get(victim) ?? 0;
    await scrape(metrics);
    process.kill(victim, "SIGKILL");
    await workers(5 + n);
    // What it had answered when the scrape began was in it.
    mayBeLost += (driver.answers.get(victim) ?? 0) - before;
  }
  await pause(200);
  await driver.stop();

  const page = await scrapeOf(4, metrics);
  expect(seen.fell).toEqual([]);
  expect(served(page)).toBeGreaterThanOrEqual(driver.all() - mayBeLost);
  expect(served(page)).toBeLessThanOrEqual(driver.all() + driver.failures());
  expect(mayBeLost).toBeLessThan(driver.all() / 4);
});

test("a worker that is busy for seconds keeps a scrape waiting for one, and is there with what it said last", async () => {
  const { app, metrics, workers } = await startCluster(2);
  await workers(2);
  await load(`${app}/x`, 4).stop();
  for (let n = 0; n < 10; n++) await request(`${app}/x`);
  const before = await scrape(metrics);
  await request(`${app}/block/4000`);
  const times: number[] = [];
  for (let n = 0; n < 3; n++) {
    const beganMs = performance.now();
    const page = await scrape(metrics);
    times.push(performance.now() - beganMs);
    expect(fallen(before, page)).toEqual([]);
    expect(seriesOf(page, "pid")).toHaveLength(2);
  }
  expect(times[0]).toBeGreaterThan(900);
  expect(times[0]).toBeLessThan(1_800);
  // It is not waited for again.
  expect(Math.max(...times.slice(1))).toBeLessThan(700);
});

test("with port 0 the workers report to their primary all the same", async () => {
  const { app, program, workers } = await startCluster(2, { env: { OTEL_EXPORTER_PROMETHEUS_PORT: "0" } });
  await workers(2);
  for (let n = 0; n < 6; n++) await request(`${app}/x`);
  const lines = await program.said(/metrics: (\S+)/, 3);
  const urls = new Set(lines.map(([, url]) => url));
  expect(urls.size).toBe(1);
  expect(served(await scrape([...urls][0] as string))).toBe(6);
});

test("each process has an endpoint of its own where merging is off", async () => {
  const { app, program, workers } = await startCluster(2, { env: { TELLTALE_METRICS_MERGE: "false" } });
  await workers(2);
  for (let n = 0; n < 6; n++) await request(`${app}/x`);
  const lines = await program.said(/metrics: (\S+)/, 3);
  const urls = [...new Set(lines.map(([, url]) => url as string))];
  expect(urls).toHaveLength(3);
  const pages = await Promise.all(urls.map(scrape));
  expect(pages.map(served).sort()).toEqual([0, 3, 3]);
});

describe("without Telltale in the master, as under PM2", () => {
  test("cluster mode: the workers elect one that serves; when it is killed the next takes over, and nothing falls", async () => {
    const { app, metrics, program, workers } = await startCluster(3, {
      preload: false,
      env: { WORKER_PRELOAD: REGISTER },
    });
    await workers(3);
    const driver = load(`${app}/x`, 6);
    const seen = watch(metrics);
    await program.said(/ watches /, 3);
    let lost = 0;
    for (let n = 1; n <= 2; n++) {
      await pause(400);
      const server = Number(
        /process_pid="(\d+)"/.exec(seriesOf(await scrape(metrics), "target_info")[0]?.[0] ?? "")?.[1],
      );
      const before = driver.answers.get(server) ?? 0;
      await scrape(metrics);
      process.kill(server, "SIGKILL");
      await workers(3 + n);
      await program.said(/metrics are now served/, n);
      lost += (driver.answers.get(server) ?? 0) - before;
    }
    await pause(400);
    await driver.stop();

    const page = await scrapeOf(3, metrics);
    expect(seen.fell).toEqual([]);
    expect(seen.longestGapMs()).toBeLessThan(2_500);
    expect(served(page)).toBeGreaterThanOrEqual(driver.all() - lost);
    expect(served(page)).toBeLessThanOrEqual(driver.all() + driver.failures());
  });

  test("cluster mode: whoever serves ends in order, and not one request is lost", async () => {
    const { app, metrics, program, workers } = await startCluster(3, {
      preload: false,
      env: { WORKER_PRELOAD: REGISTER },
    });
    await workers(3);
    await program.said(/ watches /, 3);
    const driver = load(`${app}/x`, 6);
    const seen = watch(metrics);
    for (const [n, how] of (["SIGTERM", "SIGUSR2"] as const).entries()) {
      await pause(400);
      const server = Number(
        /process_pid="(\d+)"/.exec(seriesOf(await scrape(metrics), "target_info")[0]?.[0] ?? "")?.[1],
      );
      process.kill(server, how);
      await workers(4 + n);
    }
    await driver.stop();
    const page = await scrapeOf(3, metrics);
    expect(seen.fell).toEqual([]);
    expect(served(page)).toBe(driver.all());
  });

  test("fork mode: programs with ports of their own, one endpoint", async () => {
    const { metrics, program } = await startCluster(
      3,
      { preload: false, env: { WORKER_PRELOAD: REGISTER } },
      "cluster/forks.cjs",
    );
    const ports = (await program.said(/^listening \d+ (\d+)/, 3)).map(([, port]) => port);
    await program.said(/ watches /, 3);
    for (const [n, port] of ports.entries()) {
      for (let times = 0; times <= n; times++) await request(`http://127.0.0.1:${port}/x`);
    }
    const page = await scrapeOf(3, metrics);
    expect(served(page)).toBe(6);
    expect(program.lines().filter((line) => line.includes("message"))).toEqual([]);
  });
});
