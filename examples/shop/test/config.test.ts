import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.js";

test.each<[env: Record<string, string>, port: number, poolSize: number]>([
  [{}, 3000, 5],
  [{ PORT: "", POOL_SIZE: "" }, 3000, 5],
  [{ PORT: "0", POOL_SIZE: "1" }, 0, 1],
  [{ PORT: " 8080 ", POOL_SIZE: "20" }, 8080, 20],
  [{ PORT: "65535" }, 65_535, 5],
])("%j", (env, port, poolSize) => {
  expect(readConfig(env)).toMatchObject({ port, poolSize });
});

test.each([
  [{ PORT: "abc" }, 'PORT must be a whole number from 0 to 65535, got "abc"'],
  [{ PORT: "65536" }, 'PORT must be a whole number from 0 to 65535, got "65536"'],
  [{ PORT: "80.5" }, 'PORT must be a whole number from 0 to 65535, got "80.5"'],
  [{ POOL_SIZE: "0" }, 'POOL_SIZE must be a whole number from 1 to 1000, got "0"'],
])("%j is refused", (env, message) => {
  expect(() => readConfig(env)).toThrow(message);
});

test("the service says so in one line, and leaves", async () => {
  const server = fileURLToPath(new URL("../src/server.js", import.meta.url));
  const failed = promisify(execFile)(process.execPath, [server], { env: { ...process.env, PORT: "abc" } });
  await expect(failed).rejects.toMatchObject({
    code: 1,
    stderr: 'PORT must be a whole number from 0 to 65535, got "abc"\n',
  });
});
