import { testNodes } from "@telltale/test/servers";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("programs/traffic.mjs", import.meta.url));

test.each(await testNodes())("Node $version says all that is needed", async ({ binary }) => {
  const child = spawn(binary, [program], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(child, "close")) as [number | null];
  expect(code).toBe(0);
  expect(JSON.parse(output)).toEqual({
    wrong: [],
    heard: [
      "sent GET /items/1 200",
      "sent GET /items/1 200",
      "sent GET /items/2 200",
      "sent GET /items/3 200",
      "sent GET /never 0 TimeoutError",
      "sent GET /refused 0 ECONNREFUSED",
      "sent GET /socket 426 426",
      "sent GET /two 200",
      "sent POST /body 200",
      "served GET /items/1 200 /items/:id",
      "served GET /items/1 200 /items/:id",
      "served GET /items/2 200 /items/:id",
      "served GET /items/3 200 /items/:id",
      "served GET /never 0 aborted",
      "served GET /never 0 aborted",
      "served GET /never/2 0 aborted",
      "served GET /socket 426",
      "served GET /two 200",
      "served POST /body 200 /body",
    ],
  });
});
