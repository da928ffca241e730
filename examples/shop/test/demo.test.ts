import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { describeWith } from "@telltale/test/describe-with";
import { expect, test } from "vitest";

function runDemo(flags: string[], env: Record<string, string> = {}) {
  const demo = spawn(process.execPath, ["demo/demo.js", ...flags], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  demo.stdout.on("data", (chunk: Buffer) => (output.stdout += chunk.toString()));
  demo.stderr.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  const closed = once(demo, "close").then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    ...output,
  }));
  return { demo, output, closed };
}

describeWith(["postgres", "redis"], "the demo", () => {
  test("ends by itself with a report of what Telltale saw", { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await runDemo(["--once", "--seconds=4"]).closed;
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });

    expect(stdout).toMatch(/✓ Telltale counted (\d[\d,]+) requests, the load driver sent \1$/m);
    expect(stdout).toContain("N+1 in GET /orders ");
    expect(stdout).not.toContain("N+1 in GET /orders-batched");
    expect(stdout).toContain("Slow query in GET /search ");
    expect(stdout).toMatch(/^ +product +[\d,]+ +[\d,]+ +[\d,]+ +· +\d/m);
    expect(stdout).toMatch(/5 of 5 connections in use, [1-9]\d* callers? waiting/);
    // eslint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/\u001B/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s during the load stops all of it",
    { timeout: 60_000 },
    async (signal) => {
      const { demo, output, closed } = runDemo(["--seconds=30"]);
      await expect.poll(() => output.stdout, { timeout: 30_000 }).toContain("the shop is up");
      demo.kill(signal);
      expect(await closed).toMatchObject({ code: null, signal, stderr: "" });
    },
  );

  test("says which port is in use", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const port = String((server.address() as AddressInfo).port);
    const { code, stderr } = await runDemo(["--once"], { OTEL_EXPORTER_PROMETHEUS_PORT: port }).closed;
    server.close();
    expect(code).toBe(1);
    expect(stderr.trim()).toBe(`port ${port} is in use: choose another with OTEL_EXPORTER_PROMETHEUS_PORT`);
  });

  test("says which port is none", async () => {
    const { code, stderr } = await runDemo(["--once"], { PORT: "abc" }).closed;
    expect(code).toBe(1);
    expect(stderr.trim()).toBe('PORT must be a whole number from 0 to 65535, got "abc"');
  });

  test("--help says every option, and starts nothing", async () => {
    const { code, stdout, stderr } = await runDemo(["--help"]).closed;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^ {2}--once {2}.*\n {2}--seconds=<n> {2}/m);
    expect(stdout).not.toContain("PostgreSQL");
  });

  test.each([
    [["--secnods=3"], /^Unknown option '--secnods'/],
    [["--seconds=soon"], /^--seconds must be a number from 1 on, got soon$/],
  ])("refuses %s in one line", async (flags, message) => {
    const { code, stderr } = await runDemo(flags).closed;
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(message);
    expect(stderr).not.toContain("    at ");
  });
});
