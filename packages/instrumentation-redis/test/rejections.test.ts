import { type RedisServer, startRedis } from "@telltale/test/servers";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "@telltale/test/describe-with";
import { drivers } from "./drivers.js";
import { nodeRedisDrivers } from "./node-redis-drivers.js";

const programOf = (name: string) => fileURLToPath(new URL(`./programs/${name}.mjs`, import.meta.url));
const all = [
  ...drivers.map(({ version, folder }) => ({ name: `ioredis ${version}`, folder, program: programOf("rejections") })),
  ...nodeRedisDrivers
    .filter(({ major }) => major !== 5)
    .map(({ version, folder }) => ({
      name: `redis ${version}`,
      folder,
      program: programOf("node-redis-rejections"),
    })),
];

async function run(program: string, args: string[]): Promise<{ output: string; code: number | null }> {
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

  test.each(all)("$name: the same with and without", async ({ folder, program }) => {
    const report = (telltale: string) => run(program, [folder, String(server.port), telltale, "report"]);
    const alone = await report("alone");
    // What is reported alone is what makes this test able to fail.
    expect(alone.output.split("\n").filter((line) => line.startsWith("unhandled"))).not.toEqual([]);
    expect(await report("instrumented")).toEqual(alone);
  });

  test.each(all)("$name: they end the process as they do alone", async ({ folder, program }) => {
    const crash = async (telltale: string) => {
      const { output, code } = await run(program, [folder, String(server.port), telltale, "crash"]);
      return { error: /WRONGTYPE .*/.exec(output)?.[0], code };
    };
    const alone = await crash("alone");
    expect(alone).toEqual({ error: expect.stringContaining("WRONGTYPE"), code: 1 });
    expect(await crash("instrumented")).toEqual(alone);
  });
});
