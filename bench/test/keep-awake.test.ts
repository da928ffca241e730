import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allowedCores, isInstalled } from "../src/cores.js";
import { keepAwake } from "../src/keep-awake.js";

const [core = 0] = allowedCores();
const canRun = isInstalled("taskset") && isInstalled("chrt");

test.runIf(canRun)(
  "a core is kept awake by what gives way, until the bench ends",
  async () => {
    const bench = spawn("sleep", ["60"]);
    const [program = "", ...args] = keepAwake(core, bench.pid ?? 0);
    const loop = spawn(program, args, { detached: true, stdio: "ignore" });
    const gone = once(loop, "exit");
    try {
      const stat = () =>
        readFileSync(`/proc/${loop.pid}/stat`, "utf8")
          .replace(/^.*\) /, "")
          .split(" ");
      // Its policy (field 41), and the niceness of its session where there are such: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
      const SCHED_IDLE = "5";
      await expect.poll(() => stat()[41 - 3]).toBe(SCHED_IDLE);
      const session = `/proc/${loop.pid}/autogroup`;
      if (existsSync(session)) await expect.poll(() => readFileSync(session, "utf8")).toMatch(/ nice 19$/m);
      const ticks = () => Number(stat()[14 - 3]);
      const before = ticks();
      await expect.poll(ticks, { timeout: 40_000 }).toBeGreaterThan(before);
    } finally {
      bench.kill();
    }
    await gone;
  },
  90_000,
);
