import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { readFinding } from "./report/findings.js";

const shopFolder = fileURLToPath(new URL("..", import.meta.url));

/** Runs the seed script to its end. */
export async function seedShop({ databaseUrl, signal }) {
  const seeding = spawn(process.execPath, ["src/seed.js"], {
    cwd: shopFolder,
    env: { ...process.env, NODE_OPTIONS: "", DATABASE_URL: databaseUrl },
    stdio: ["ignore", "ignore", "pipe"],
    signal,
  });
  const said = collect(seeding.stderr);
  const code = await exitOf(seeding);
  signal.throwIfAborted();
  if (code !== 0) throw new Error((await said).trim() || `seeding ended with ${code}`);
}

/**
 * Starts the shop, preloaded with Telltale, and waits until it listens. `onFinding` gets each finding that Telltale logs;
 * every other line on stderr goes to `onLine`.
 */
export async function startShop({ env, signal, onFinding, onLine }) {
  const shop = spawn(process.execPath, ["--require", "telltale/register", "src/server.js"], {
    cwd: shopFolder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = exitOf(shop);
  const stop = async () => {
    shop.kill("SIGTERM");
    const kill = setTimeout(() => shop.kill("SIGKILL"), 5_000);
    await exited.catch(() => {});
    clearTimeout(kill);
  };
  createInterface({ input: shop.stderr }).on("line", (line) => {
    const finding = readFinding(line);
    if (finding !== undefined) return onFinding(finding);
    return onLine(line);
  });
  const listening = new Promise((resolve) => {
    createInterface({ input: shop.stdout }).on("line", (line) => {
      const url = /^shop listens on (http:\S+)$/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  const ended = exited.then((code) => {
    throw new Error(`the shop ended with ${code} before it listened`);
  });
  try {
    const url = await Promise.race([listening, ended, rejectOn(signal)]);
    ended.catch(() => {});
    return { url, pid: shop.pid, exited, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Rejects when the signal aborts; never resolves. */
export function rejectOn(signal) {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal ?? code));
  });
}

async function collect(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}
