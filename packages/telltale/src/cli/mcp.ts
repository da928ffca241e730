import { parseArgs } from "node:util";
import { serveMcp } from "@telltale/viewer";
import type { Command } from "./command.js";
import { readViewerUrl } from "./dev/viewer-url.js";

const HELP = `telltale mcp [--url <url>]    lets a coding assistant ask a running viewer, by the Model Context Protocol on stdin and stdout

  --url <url>    of the viewer; default http://localhost:4319

In the assistant's list of servers:
  { "mcpServers": { "telltale": { "command": "npx", "args": ["telltale", "mcp"] } } }
The viewer is one that telltale dev or telltale viewer has started; it need not run yet. Tools: findings, slow queries, requests, traces,
caches, pools. What programs have sent is handed on as data, marked so.
`;

/** `telltale mcp`. */
export const mcp: Command = {
  help: HELP,
  async run(args) {
    const { values } = parseArgs({ args: [...args], options: { url: { type: "string" } } });
    await serveMcp({ input: process.stdin, output: process.stdout, viewerUrl: readViewerUrl(values.url) });
  },
};
