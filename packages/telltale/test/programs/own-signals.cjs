// Sends itself a signal that nobody handles, or is sent one while it keeps the event loop, with a span to deliver or without.
const { execFileSync } = require("node:child_process");
const { createServer } = require("node:http");
const { writeSync } = require("node:fs");
const { trace } = require("@opentelemetry/api");
const [, , way] = process.argv;
const say = (line) => writeSync(1, `${line}\n`);
const span = () => trace.getTracer("app").startSpan("work").end();
const kill = (signal) => process.kill(process.pid, signal);

const ways = {
  name() {
    kill("SIGTERM");
    say("never");
  },
  number() {
    kill(2);
    say("never");
  },
  exit() {
    kill();
    process.exit(3);
  },
  // As NestJS's shutdown hooks and signal-exit end a process.
  graceful() {
    span();
    const server = createServer().listen(0, () => setTimeout(() => kill("SIGTERM"), 50));
    process.on("SIGTERM", async function stop(signal) {
      await new Promise((resolve) => server.close(resolve));
      process.removeListener("SIGTERM", stop);
      kill(signal);
    });
  },
  busy() {
    execFileSync("kill", ["-TERM", String(process.pid)]);
    say("never");
  },
  "busy with a span"() {
    span();
    execFileSync("kill", ["-TERM", String(process.pid)]);
  },
};
ways[way]();
