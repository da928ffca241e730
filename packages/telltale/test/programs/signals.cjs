// Makes a span, meets signals in one of several ways, and prints what happens to it.
const { trace } = require("@opentelemetry/api");
const [, , way, startLater] = process.argv;
const say = (...words) => console.log(...words);
const end = () => {
  trace.getTracer("app").startSpan("late work").end();
  say("graceful");
  setTimeout(() => process.exit(5), 200);
};

const ways = {
  default() {},
  once: () => void process.once("SIGTERM", end),
  first: () => void process.prependOnceListener("SIGTERM", end),
  // A listener that came and went: nobody handles the signal any more.
  removed() {
    process.on("SIGTERM", end).off("SIGTERM", end);
  },
  "all removed": () => void process.on("SIGTERM", end).removeAllListeners("SIGTERM"),
  // The first signal is handled, the second is not.
  twice() {
    process.once("SIGTERM", () => {
      say("not yet");
      setTimeout(() => process.kill(process.pid, "SIGTERM"), 100);
    });
  },
  throws() {
    process.on("uncaughtException", ({ message }) => {
      say("uncaught", message);
      setTimeout(() => process.exit(6), 200);
    });
    process.on("SIGTERM", () => say("never heard"));
    process.prependListener("SIGTERM", () => {
      throw new Error("in a listener");
    });
  },
  arguments: () =>
    void process.on("SIGTERM", (...args) => process.exit(args[0] === "SIGTERM" && args[1] === 15 ? 7 : 8)),
};
ways[way]();
trace.getTracer("app").startSpan("work").end();
// It comes while the app is busy, and with start() just before that.
if (startLater === undefined || process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
for (const busy = performance.now() + 50; performance.now() < busy;);
if (startLater !== undefined) require(startLater).start();
if (process.listenerCount("SIGTERM") === 0) process.kill(process.pid, "SIGTERM");
setInterval(() => {}, 1000);
