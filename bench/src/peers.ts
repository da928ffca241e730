import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const bench = fileURLToPath(new URL("..", import.meta.url));

export function peerFolder(peer: string): string {
  return join(bench, ".peers", peer);
}

/** Installs an agent as `peers/<name>.json` says, apart from everything else, unless that has been done. */
export async function installPeer(
  peer: string,
  say: (line: string) => void,
  ending: AsyncDisposableStack,
): Promise<void> {
  const wanted = await readFile(join(bench, "peers", `${peer}.json`), "utf8");
  const folder = peerFolder(peer);
  const done = join(folder, "installed.json");
  if (existsSync(done) && (await readFile(done, "utf8")) === wanted) return;
  say(`installing ${peer} …`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const manifest = { name: `peer-${peer}`, private: true, ...(JSON.parse(wanted) as object) };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2));
  const flags = ["--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  const abort = new AbortController();
  ending.defer(() => abort.abort());
  try {
    await run("npm", ["install", ...flags], { cwd: folder, signal: abort.signal });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? String(error);
    throw new Error(`npm could not install ${peer}:\n${said}`, { cause: error });
  }
  await writeFile(done, wanted);
}
