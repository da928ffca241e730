import { type RedisServer, startRedis } from "@telltale/test/servers";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "@telltale/test/describe-with";
import { drivers } from "./drivers.js";

const program = fileURLToPath(new URL("./programs/rejections.mjs", import.meta.url));

async function run(args: string[]): Promise<{ output: string; code: number | null }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => (output += text));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { output, code };
}

describeWith(["redis-server"], "rejections that nobody handles", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  test.each(drivers)("ioredis $version: the same with and without", async ({ folder }) => {
    const report = (telltale: string) => run([folder, String(server.port), telltale, "report"]);
    const alone = await report("alone");
    // What is reported alone is what makes this test able to fail.
    expect(alone.output.split("\n").filter((line) => line.startsWith("unhandled"))).not.toEqual([]);
    expect(await report("instrumented")).toEqual(alone);
  });

  test.each(drivers)("ioredis $version: they end the process as they do alone", async ({ folder }) => {
    const crash = async (telltale: string) => {
      const { output, code } = await run([folder, String(server.port), telltale, "crash"]);
      return { error: /WRONGTYPE .*/.exec(output)?.[0], code };
    };
    const alone = await crash("alone");
    expect(alone).toEqual({ error: expect.stringContaining("WRONGTYPE"), code: 1 });
    expect(await crash("instrumented")).toEqual(alone);
  });
});
