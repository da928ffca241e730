"use strict";
// Answers the bench about this process, over the channel to its parent. All figures only grow: who asks twice subtracts.
const { GCProfiler, getHeapStatistics, setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");

let allocated = 0;
let gcUs = 0;
let profiler = new GCProfiler();
let usedBefore = getHeapStatistics().used_heap_size;
profiler.start();

/** What was allocated is what the heap has grown by between collections; V8 has no counter of it. */
function addUpCollections() {
  const usedNow = getHeapStatistics().used_heap_size;
  for (const { beforeGC, afterGC, cost } of profiler.stop().statistics) {
    allocated += Math.max(0, beforeGC.heapStatistics.usedHeapSize - usedBefore);
    usedBefore = afterGC.heapStatistics.usedHeapSize;
    gcUs += cost;
  }
  allocated += Math.max(0, usedNow - usedBefore);
  profiler = new GCProfiler();
  profiler.start();
  usedBefore = getHeapStatistics().used_heap_size;
}

function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const answers = {
  read() {
    const cpu = cpuUs();
    addUpCollections();
    return { cpuUs: cpu, allocated, gcUs };
  },
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
