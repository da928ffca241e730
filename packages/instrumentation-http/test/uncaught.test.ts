import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("programs/uncaught.mjs", import.meta.url));

/** How the process ends, and what it says first: where the error was thrown, its line, and its message. */
async function run(...args: string[]): Promise<{ code: number | null; says: string[] }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number | null];
  const lines = output.split("\n").filter((line) => line !== "" && !/^ {4}at /.test(line));
  return { code, says: lines.map((line) => line.replace(/:\d{4,5}\b/, ":port").replace(/port: \d+/, "port")) };
}

test.each([
  ["refused", "ECONNREFUSED"],
  ["in the handler", "the handler broke"],
  ["in a body listener", "the listener broke"],
  ["in a response callback", "the callback broke"],
  ["on the response", "socket hang up"],
  ["in a rejected handler", "the promise broke"],
])("an error %s ends the process as it does alone", async (mode, message) => {
  const alone = await run("alone", mode);
  expect(alone.code).toBe(1);
  expect(alone.says.join("\n")).toContain(message);
  expect(await run("instrumented", mode)).toEqual(alone);
});
