"use strict";
// Answers the bench about this process, over the channel to its parent. All figures only grow: who asks twice subtracts.
const { setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");
const { startHeapMeter } = require("./heap-meter.cjs");

const meter = startHeapMeter();

function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const answers = {
  read: () => ({ cpuUs: cpuUs(), ...meter.read() }),
  memory() {
    const { rss } = process.memoryUsage();
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc");
    gc();
    gc();
    const after = process.memoryUsage();
    return { rss, rssAfterGc: after.rss, heapAfterGc: after.heapUsed };
  },
  rss: () => ({ rss: process.memoryUsage.rss() }),
  // A proper end: Node writes its compile cache then.
  exit: () => process.exit(0),
};

process.on("message", ({ ask }) => process.send({ answer: ask, ...answers[ask]() }));
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

module.exports = {
  listening(port) {
    const ms = performance.now();
    process.send({
      answer: "listening",
      port,
      ms,
      cpuMs: cpuUs() / 1000,
      rss: process.memoryUsage.rss(),
      modules: globalThis.benchModules?.size,
    });
  },
};
