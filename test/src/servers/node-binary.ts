import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

export interface TestNode {
  /** As in process.version, without the v. */
  version: string;
  binary: string;
}

const run = promisify(execFile);

/** Seen to work; "22.15" is the oldest Node that Telltale runs on (npm has no arm64 build of it: the next one is 22.20). */
const PINNED: Record<string, string> = {
  "22.15": process.arch === "arm64" ? "22.20.0" : "22.15.0",
  "22": "22.23.3",
  "24": "24.21.0",
  "26": "26.10.0",
};

/**
 * The Nodes that end-to-end tests run on: this one, or those that TELLTALE_NODES lists, each a key of the table above
 * or the path of a program ("22,26" or "/opt/node/bin/node").
 */
export async function testNodes(): Promise<TestNode[]> {
  const list = (process.env["TELLTALE_NODES"] ?? "").split(",").map((entry) => entry.trim());
  const wanted = list.filter((entry) => entry !== "");
  if (wanted.length === 0) return [{ version: process.versions.node, binary: process.execPath }];
  const nodes: TestNode[] = [];
  for (const entry of wanted) {
    const binary = entry.includes("/") ? entry : await nodeBinary(entry);
    const { stdout } = await run(binary, ["--version"]);
    nodes.push({ version: stdout.trim().slice(1), binary });
  }
  return nodes;
}

/** The program of Node 22.15, 22, 24 or 26: from npm, kept under node_modules/.cache. */
async function nodeBinary(release: string | number): Promise<string> {
  const version = PINNED[release];
  if (version === undefined) {
    throw new Error(`no Node ${release} to test on; known are ${Object.keys(PINNED).join(", ")}`);
  }
  if (version === process.versions.node) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const root = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));
  const cache = join(dirname(root), ".cache", "node");
  const folder = join(cache, version);
  const binary = join(folder, "node_modules", name, "bin", "node");
  if (await exists(binary)) return binary;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "fetching-"));
  try {
    const flags = ["--prefix", work, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
    await run("npm", ["install", ...flags, `${name}@${version}`]);
    // Whole or not at all; a second fetcher who is later finds the folder there.
    await rename(work, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return binary;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
