"use strict";
const { GCProfiler, getHeapStatistics } = require("node:v8");

/**
 * Counts what is allocated on the JavaScript heap, and the time of collections, from now on. V8 has no counter of the former: it is
 * what the heap grows by from one collection to the next.
 */
function startHeapMeter() {
  let allocated = 0;
  let gcUs = 0;
  let profiler = new GCProfiler();
  profiler.start();
  let usedBefore = getHeapStatistics().used_heap_size;
  return {
    read() {
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
      return { allocated, gcUs };
    },
  };
}

module.exports = { startHeapMeter };
