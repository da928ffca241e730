import { atMost, type DashboardPlan, type Material, plain } from "../panel.js";
import { percent } from "../percent.js";

export function planRuntime({ q, slo }: Material): DashboardPlan {
  const { eventLoopUtilization, cpuUtilization, heapUtilization } = slo.runtime;
  const loop = atMost(eventLoopUtilization * 0.75, eventLoopUtilization);
  const cpu = atMost(cpuUtilization * 0.75, cpuUtilization);
  const heap = atMost(heapUtilization * 0.8, heapUtilization);
  const delays = atMost(0.05, 0.2);
  const instance = "{{instance}}";
  const busy = `${q.sum(["instance"], q.rate("loopTime", { "nodejs.eventloop.state": "=active" }))} / ${q.sum(["instance"], q.rate("loopTime"))}`;
  const heapShare = `${q.sum(["instance"], q.value("heapUsed"))} / ${q.sum(["instance"], q.value("heapLimit"))}`;

  return {
    uid: "telltale-runtime",
    title: "Runtime",
    description: "The Node.js process: CPU, memory, heap, garbage collection and event loop.",
    variables: ["service", "instance"],
    rows: [
      {
        title: "At a glance",
        panels: [
          {
            type: "stat",
            title: "Event loop",
            shows: "Share of the time in which the event loop was busy, of the busiest process.",
            good: `Below ${percent(eventLoopUtilization)}.`,
            otherwise: "JavaScript runs all the time and requests queue behind it. Profile it, or add processes.",
            unit: "percentunit",
            steps: loop,
            width: 4,
            query: { expression: `max(${busy})`, legend: "event loop" },
          },
          {
            type: "stat",
            title: "CPU",
            shows: "CPU time over what all CPUs of the process could give, of the busiest process.",
            good: `Below ${percent(cpuUtilization)}.`,
            otherwise:
              "See CPU by mode below. A Node process uses one CPU for JavaScript and little more for the rest.",
            unit: "percentunit",
            steps: cpu,
            width: 4,
            query: { expression: `max(${q.sum(["instance"], q.value("cpuUtilization"))})`, legend: "CPU" },
          },
          {
            type: "stat",
            title: "Heap",
            shows: "Heap in use over the most it may take, of the fullest process.",
            good: `Below ${percent(heapUtilization)}, with teeth.`,
            otherwise: "At 100 % the process ends. See Heap of its limit below.",
            unit: "percentunit",
            steps: heap,
            width: 4,
            query: { expression: `max(${heapShare})`, legend: "heap" },
          },
          {
            type: "stat",
            title: "Memory",
            shows: "Physical memory of all processes together.",
            good: "Flat after warming up.",
            otherwise:
              "Compare Memory with Heap by space below: what grows beside the heap are buffers and native code.",
            unit: "bytes",
            steps: plain,
            width: 4,
            query: { expression: q.sum([], q.value("memoryUsage")), legend: "memory" },
          },
          {
            type: "stat",
            title: "Youngest process",
            shows: "How long the process that started last has been running, also of those that share an endpoint.",
            good: "Since the last deployment.",
            otherwise: "Minutes without a deployment: it crashes and is started again. See its log, and Heap.",
            unit: "s",
            steps: [
              { from: undefined, color: "orange" },
              { from: 600, color: "green" },
            ],
            width: 4,
            query: { expression: `min(${q.value("uptime")})`, legend: "running for" },
          },
          {
            type: "stat",
            title: "Processes",
            shows: "Processes that Prometheus has read; those that share an endpoint (cluster, PM2) are one.",
            good: "As many as you run, or as machines that run them together.",
            otherwise: "Fewer: one is down, or Prometheus does not find it (its page of targets says why).",
            unit: "short",
            steps: plain,
            width: 4,
            query: { expression: `count(${q.value("uptime")})`, legend: "processes" },
          },
        ],
      },
      {
        title: "Event loop",
        panels: [
          {
            type: "time",
            title: "Event loop utilization",
            shows: "Share of the time in which the event loop was busy.",
            good: `Below ${percent(eventLoopUtilization)}.`,
            otherwise:
              "Take a CPU profile (node --cpu-prof, or the inspector) under this load; large JSON, long loops and synchronous calls are the usual causes.",
            unit: "percentunit",
            steps: loop,
            width: 12,
            queries: [{ expression: busy, legend: instance }],
          },
          {
            type: "time",
            title: "Event loop delay",
            shows:
              "How much later than asked for the event loop came round: median, p99 and worst of the processes chosen.",
            good: "p99 below 50 ms.",
            otherwise:
              "The worst is one long piece of JavaScript (or a garbage collection): every request waited for it. Split it or move it to a worker.",
            unit: "s",
            steps: delays,
            width: 12,
            queries: [
              { expression: q.max(["instance"], q.value("loopDelayP50")), legend: `p50 ${instance}` },
              { expression: q.max(["instance"], q.value("loopDelayP99")), legend: `p99 ${instance}` },
              { expression: q.max(["instance"], q.value("loopDelayMax")), legend: `max ${instance}` },
            ],
          },
        ],
      },
      {
        title: "CPU and garbage collection",
        panels: [
          {
            type: "time",
            title: "CPU by mode",
            shows: "CPUs used: user is the program's own work, system the kernel's for it.",
            good: "Follows the number of requests; below 1 for each process.",
            otherwise:
              "More per request than before: compare the deployments. Much system time is much network or disk.",
            unit: "short",
            steps: plain,
            width: 8,
            stacked: true,
            queries: [
              {
                expression: q.sum(["instance", "cpu.mode"], q.rate("cpuTime")),
                legend: `{{${q.label("cpu.mode")}}} ${instance}`,
              },
            ],
          },
          {
            type: "time",
            title: "CPU utilization",
            shows: "CPU time over what all CPUs of the process could give.",
            good: `Below ${percent(cpuUtilization)}.`,
            otherwise: "The machine is the limit: add processes elsewhere, or profile what has become expensive.",
            unit: "percentunit",
            steps: cpu,
            width: 8,
            queries: [{ expression: q.sum(["instance"], q.value("cpuUtilization")), legend: instance }],
          },
          {
            type: "time",
            title: "Time in garbage collection",
            shows: "Share of the time spent collecting garbage, by type.",
            good: "Below 5 %.",
            otherwise:
              "Much minor: many short-lived objects, look at allocations. Much major: the heap is nearly full, see Heap of its limit.",
            unit: "percentunit",
            steps: atMost(0.05, 0.1),
            width: 8,
            queries: [
              {
                expression: q.sum(["instance", "v8js.gc.type"], q.total("gcDuration")),
                legend: `{{${q.label("v8js.gc.type")}}} ${instance}`,
              },
            ],
          },
          {
            type: "time",
            title: "Longest garbage collections",
            shows: "p99 of the duration of a garbage collection, by type.",
            good: "Below 50 ms.",
            otherwise: "Requests stand still meanwhile. Keep less in the heap, or spread it over more processes.",
            unit: "s",
            steps: delays,
            width: 12,
            queries: [
              {
                expression: q.quantile(0.99, "gcDuration", ["v8js.gc.type"]),
                legend: `{{${q.label("v8js.gc.type")}}}`,
              },
            ],
          },
          {
            type: "time",
            title: "What keeps the event loop alive",
            shows: "Active resources by type: sockets, timers, requests.",
            good: "Sockets follow the load and come back.",
            otherwise: "A type that only grows is a leak: sockets without a time-out, timers never cleared.",
            unit: "short",
            steps: plain,
            width: 12,
            queries: [
              {
                expression: q.sum(["v8js.resource.type"], q.value("resourcesActive")),
                legend: `{{${q.label("v8js.resource.type")}}}`,
              },
            ],
          },
        ],
      },
      {
        title: "Memory",
        panels: [
          {
            type: "time",
            title: "Heap of its limit",
            shows: "Heap in use over the most it may take.",
            good: `Teeth, whose lower ends stay level, below ${percent(heapUtilization)}.`,
            otherwise:
              "Lower ends that rise hour by hour are a leak: take two heap snapshots and compare them. Level but high: raise --max-old-space-size.",
            unit: "percentunit",
            steps: heap,
            width: 8,
            queries: [{ expression: heapShare, legend: instance }],
          },
          {
            type: "time",
            title: "Heap by space",
            shows: "Heap in use by space: new objects, old ones, code, large objects.",
            good: "Old space level after warming up.",
            otherwise:
              "Old space that grows is a leak or an unbounded cache; large object space holds big arrays and strings.",
            unit: "bytes",
            steps: plain,
            width: 8,
            stacked: true,
            queries: [
              {
                expression: q.sum(["v8js.heap.space.name"], q.value("heapUsed")),
                legend: `{{${q.label("v8js.heap.space.name")}}}`,
              },
            ],
          },
          {
            type: "time",
            title: "Memory",
            shows: "Physical memory, and what of it the heap has reserved.",
            good: "Level after warming up, below what the container may have.",
            otherwise:
              "Memory grows while the heap does not: buffers or native modules. Both grow: see Heap of its limit.",
            unit: "bytes",
            steps: plain,
            width: 8,
            queries: [
              { expression: q.sum(["instance"], q.value("memoryUsage")), legend: `memory ${instance}` },
              { expression: q.sum(["instance"], q.value("heapSize")), legend: `heap reserved ${instance}` },
            ],
          },
        ],
      },
    ],
  };
}
