import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";

const program = fileURLToPath(new URL("./fixtures/make-ids.js", import.meta.url));
const PER_PROCESS = 1_250_000;
const PER_THREAD = 10_000;

async function inProcess(folder: string, ...more: string[]): Promise<void> {
  const [code] = (await once(fork(program, [folder, String(PER_PROCESS), ...more]), "exit")) as [number | null];
  if (code !== 0) throw new Error(`the process ended with ${code}`);
}

async function inThread(folder: string): Promise<void> {
  await once(new Worker(program, { workerData: [folder, PER_THREAD] }), "exit");
}

test(
  "10 million ids of forked processes, a cluster and a thread are all different, and even",
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "telltale-ids-"));
    try {
      await Promise.all([inProcess(folder), inProcess(folder), inThread(folder), inThread(folder)]);
      await inProcess(folder, "2");
      const files = await readdir(folder);
      expect(files).toHaveLength(7);
      const bytes = Buffer.concat(await Promise.all(files.map((file) => readFile(join(folder, file)))));
      const spans = 4 * PER_PROCESS + 1_000 + 2 * PER_THREAD;
      expect(bytes.length).toBe(spans * 24);

      // χ² with 255 degrees of freedom has a mean of 255 and a deviation of 22.6: none of 24 positions is 8 of those away.
      const counts = Array.from({ length: 24 }, () => new Uint32Array(256));
      for (let at = 0; at < bytes.length; at += 24) {
        for (let i = 0; i < 24; i++) {
          const count = counts[i] as Uint32Array;
          const value = bytes[at + i] as number;
          count[value] = (count[value] as number) + 1;
        }
      }
      const expected = spans / 256;
      for (const count of counts) {
        const chiSquare = count.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
        expect(chiSquare).toBeLessThan(255 + 8 * 22.6);
      }

      // Each half of a trace id alone is as good as an id of a span: among 15 million, two are the same once in 160,000 runs.
      const halves = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8).sort();
      expect(halves[0]).not.toBe(0n);
      let same = 0;
      for (let i = 1; i < halves.length; i++) if (halves[i] === halves[i - 1]) same++;
      expect(same).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
