import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { createConnection } from "mysql2/promise";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { describeWith } from "../describe-with.js";
import {
  findServer,
  freePort,
  startMariadb,
  startMemcached,
  startPostgres,
  startPrometheus,
  startRedis,
} from "./index.js";
import { startReady, supervise } from "./supervise.js";

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function query(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ answer: unknown }>(sql);
    return rows[0]?.answer;
  } finally {
    await client.end();
  }
}

describeWith(["postgres"], "PostgreSQL", () => {
  test("is up in 2 s, has the settings asked for, shows its log, leaves nothing", async () => {
    await (await startPostgres()).stop(); // the first one on a machine runs initdb
    const start = async () => {
      const before = performance.now();
      const server = await startPostgres({ settings: { log_min_duration_statement: 20 } });
      return { server, ms: performance.now() - before };
    };
    let { server, ms } = await start();
    // Other tests may have had the CPUs meanwhile.
    for (let more = 2; ms >= 2_000 && more > 0; more--) {
      await server.stop();
      ({ server, ms } = await start());
    }
    expect(ms).toBeLessThan(2_000);
    expect(new URL(server.url)).toMatchObject({ username: server.user, password: server.password });
    expect(await query(server.url, "SELECT current_setting('log_min_duration_statement') AS answer")).toBe("20ms");
    expect(await query(server.url, "SELECT pg_sleep(0.03), 'slow' AS answer")).toBe("slow");
    await vi.waitFor(async () => expect(await server.log()).toMatch(/duration: .* SELECT pg_sleep\(0\.03\)/));
    expect(isRunning(server.pid)).toBe(true);
    await server.stop();
    expect(isRunning(server.pid)).toBe(false);
    await expect(query(server.url, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("says what PostgreSQL said when it cannot start", async () => {
    await expect(startPostgres({ settings: { max_connections: "many" } })).rejects.toThrow(
      /postgres ended before it was ready:[^]*"max_connections": "many"/,
    );
  });

  test("wants its password", async () => {
    const server = await startPostgres();
    const url = server.url.replace(server.password, "wrong");
    await expect(query(url, "SELECT 1")).rejects.toThrow(/password authentication failed/);
    await server.stop();
  });
});

describeWith(["mariadb"], "MariaDB", () => {
  const ask = async (url: string, sql: string): Promise<unknown> => {
    const connection = await createConnection(url);
    try {
      const [rows] = await connection.query(sql);
      return (rows as { answer: unknown }[])[0]?.answer;
    } finally {
      await connection.end();
    }
  };

  test("is up in 3 s, has the settings asked for, leaves nothing", async () => {
    await (await startMariadb()).stop(); // the first one on a machine makes the system's tables
    const before = performance.now();
    const server = await startMariadb({ settings: { "long-query-time": 7 } });
    expect(performance.now() - before).toBeLessThan(3000);
    expect(new URL(server.url)).toMatchObject({ username: server.user, password: server.password });
    expect(await ask(server.url, "SELECT @@global.long_query_time AS answer")).toBe(7);
    expect(await ask(server.url, "SELECT DATABASE() AS answer")).toBe(server.database);
    expect(isRunning(server.pid)).toBe(true);
    await server.stop();
    expect(isRunning(server.pid)).toBe(false);
    await expect(ask(server.url, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("says what MariaDB said when it cannot start", async () => {
    await expect(startMariadb({ settings: { "no-such-setting": 1 } })).rejects.toThrow(
      /mariadb ended before it was ready:[^]*no-such-setting/,
    );
  });

  test("leaves another one's temporary tables alone", async () => {
    const server = await startMariadb();
    const connection = await createConnection(server.url);
    await connection.query("CREATE TEMPORARY TABLE kept (a INT) ENGINE = MyISAM");
    await (await startMariadb()).stop();
    await connection.query("DROP TABLE kept");
    await connection.end();
    await server.stop();
  });

  test("wants its password", async () => {
    const server = await startMariadb();
    await expect(ask(server.url.replace(`:${server.password}@`, ":wrong@"), "SELECT 1")).rejects.toMatchObject({
      code: "ER_ACCESS_DENIED_ERROR",
    });
    await server.stop();
  });
});

describeWith(["redis-server"], "Redis", () => {
  test("is up in 2 s and empty, with the settings asked for", async () => {
    const before = performance.now();
    const server = await startRedis({ own: true, settings: { maxmemory: "7mb" } });
    expect(performance.now() - before).toBeLessThan(2000);
    const redis = new Redis(server.url);
    expect(await redis.dbsize()).toBe(0);
    expect(await redis.config("GET", "maxmemory")).toEqual(["maxmemory", String(7 * 1024 * 1024)]);
    redis.disconnect();
    await server.stop();
    expect(isRunning(server.pid ?? 0)).toBe(false);
  });

  test("REDIS_URL names another one, which stop() leaves alone", async () => {
    const theirs = await startRedis({ own: true });
    vi.stubEnv("REDIS_URL", theirs.url);
    try {
      const shared = await startRedis();
      expect(shared).toMatchObject({ url: theirs.url, port: theirs.port, host: "127.0.0.1", pid: undefined });
      await shared.stop();
      expect(isRunning(theirs.pid ?? 0)).toBe(true);
      const own = await startRedis({ own: true });
      expect(own.port).not.toBe(theirs.port);
      await own.stop();
    } finally {
      vi.unstubAllEnvs();
      await theirs.stop();
    }
  });

  test("takes another port when its own was taken meanwhile", async () => {
    const thief = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => thief.once("listening", resolve));
    const taken = (thief.address() as AddressInfo).port;
    const program = await findServer("redis-server");
    const tried: number[] = [];
    const { server, details } = await startReady("redis", /Ready to accept connections/, async () => {
      const port = tried.length === 0 ? taken : await freePort();
      tried.push(port);
      const command = [program, "--bind", "127.0.0.1", "--port", String(port)];
      return { server: await supervise("redis", command), details: port };
    });
    expect(tried).toEqual([taken, details]);
    await server.stop();
    await new Promise((resolve) => thief.close(resolve));
  });
});

describeWith(["memcached"], "Memcached", () => {
  test("is up in 2 s and empty, and leaves nothing", async () => {
    const before = performance.now();
    const server = await startMemcached();
    expect(performance.now() - before).toBeLessThan(2000);
    expect(await server.stats()).toMatchObject({ pid: server.pid, curr_items: 0, get_misses: 0 });
    await server.stop();
    expect(isRunning(server.pid)).toBe(false);
    await expect(server.stats()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});

describeWith(["prometheus"], "Prometheus", () => {
  test("scrapes its target", async () => {
    const port = await freePort();
    const target = await startPrometheus({ scrape: [{ job: "nothing", target: `127.0.0.1:${port}` }] });
    const server = await startPrometheus({ scrape: [{ job: "other", target: new URL(target.url).host }] });
    await vi.waitFor(
      async () => {
        const response = await fetch(`${server.url}/api/v1/query?query=up`);
        const { data } = (await response.json()) as { data: { result: unknown } };
        expect(data.result).toMatchObject([{ metric: { job: "other" }, value: [expect.anything(), "1"] }]);
      },
      { timeout: 10_000, interval: 100 },
    );
    await Promise.all([server.stop(), target.stop()]);
    expect(isRunning(server.pid)).toBe(false);
  });
});

describeWith(["postgres", "mariadb", "redis-server", "prometheus"], "however the process ends", () => {
  let temp: string;
  beforeAll(async () => {
    temp = await mkdtemp(join(tmpdir(), "telltale-ends-"));
    await chmod(temp, 0o1777);
  });
  afterAll(() => rm(temp, { recursive: true }));

  // The program runs what was built; its temporary folder is this test's, so that what it leaves is seen.
  const start = (ending: string): ChildProcess => {
    const program = `
      import { startMariadb, startPostgres, startPrometheus, startRedis } from "@telltale/test/servers";
      const servers = await Promise.all([
        startPostgres(), startMariadb(), startRedis({ own: true }), startPrometheus({ scrape: [] })]);
      console.log(JSON.stringify(servers.map((server) => server.pid)));
      ${ending}`;
    return spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { ...process.env, TMPDIR: temp },
      stdio: ["ignore", "pipe", "ignore"],
    });
  };
  const leftovers = async (): Promise<string[]> => {
    const names = await readdir(temp);
    return names.filter((name) => !/^telltale-(postgres|mariadb)-.+-\d+$/.test(name)); // the prepared empty data folders stay
  };
  const stay = "setInterval(() => {}, 1000);";

  test.each([
    { how: "SIGKILL", ending: stay },
    { how: "SIGINT", ending: stay },
    { how: "SIGTERM", ending: stay },
    { how: "process.exit", ending: "process.exit(3);" },
    { how: "an uncaught exception", ending: "throw new Error('lost');" },
    { how: "nothing left to do", ending: "" },
  ])("$how: servers and folders are gone soon after", async ({ how, ending }) => {
    const child = start(ending);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const line = await new Promise<string>((resolve) => {
      child.stdout?.once("data", (data: Buffer) => resolve(data.toString()));
    });
    const pids = JSON.parse(line) as number[];
    expect(pids.filter((pid) => pid > 1)).toHaveLength(4);
    if (how.startsWith("SIG")) {
      expect(pids.filter(isRunning)).toEqual(pids);
      child.kill(how as NodeJS.Signals);
    }
    await ended;
    await vi.waitFor(
      async () => {
        expect(pids.filter(isRunning)).toEqual([]);
        expect(await leftovers()).toEqual([]);
      },
      { timeout: 3000, interval: 50 },
    );
  });

  test.each(["SIGKILL", "SIGINT"] as const)("%s ends vitest in the middle of a test", async (signal) => {
    const root = fileURLToPath(new URL("../../..", import.meta.url));
    const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
    const config = join(root, "test/fixtures/vitest.config.ts");
    const run = spawn(process.execPath, [vitest, "run", "killed-run", "--root", root, "--config", config], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: temp },
    });
    const ended = new Promise((resolve) => run.once("exit", resolve));
    let output = "";
    const line = await new Promise<string>((resolve) => {
      run.stdout.on("data", (data: Buffer) => {
        output += data.toString();
        const found = /servers: (\[.+\])/.exec(output);
        if (found?.[1] !== undefined) resolve(found[1]);
      });
    });
    const pids = JSON.parse(line) as number[];
    expect(pids.filter(isRunning)).toEqual(pids);
    run.kill(signal);
    await ended;
    await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]), { timeout: 3000, interval: 50 });
  });

  test("SIGKILL at any moment of the start", async () => {
    for (const delay of [40, 60, 80, 100, 120, 140, 160, 180]) {
      const child = start(stay);
      const ended = new Promise((resolve) => child.once("exit", resolve));
      await sleep(delay);
      child.kill("SIGKILL");
      await ended;
    }
    await vi.waitFor(async () => expect(await leftovers()).toEqual([]), { timeout: 3000, interval: 50 });
  });
});

describe("freePort", () => {
  test("gives each of those who ask at once another port", async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
    expect(new Set(ports).size).toBe(20);
  });

  test("gives ports that can be listened on", async () => {
    const port = await freePort();
    const server = createServer().listen(port, "127.0.0.1");
    await new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
    await new Promise((resolve) => server.close(resolve));
  });
});
