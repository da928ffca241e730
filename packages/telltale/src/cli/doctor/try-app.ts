import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import type { Check } from "./check.js";

const MAX_CHARACTERS = 1_000_000;
/** For a server to end by itself, once it is told to. */
const ENDING_MS = 2_000;
const PROBLEMS = /is not instrumented|was loaded before Telltale|bundled into|not started|is now off/;

/** Runs the app for a while, watched, and reads what Telltale says of it. What the app itself says is not kept. */
export async function tryApp(entry: string, seconds: number): Promise<Check[]> {
  const { lines, ended } = await runFor(entry, seconds * 1000);
  const subject = "run";
  const end = ended === undefined ? "" : `; it ended with ${ended}`;
  const loaded = lines
    .map((line) => /^(\S+ \S+) loaded and instrumented$/.exec(line)?.[1])
    .filter((library) => library !== undefined);
  const checks = lines
    .filter((line) => PROBLEMS.test(line))
    .map((line): Check => ({ subject, status: "problem", text: line }));
  if (!lines.some((line) => line.includes(" watches "))) {
    const text =
      ended === undefined ? `Telltale did not start in it within ${seconds} s` : `it ended at once, with ${ended}`;
    return [
      ...checks,
      { subject, status: "problem", text, cure: "run it by hand: TELLTALE_LOG=debug npx telltale run" },
    ];
  }
  const text = `in ${seconds} s it loaded ${[...new Set(loaded)].join(", ") || "no library that is known"}${end}`;
  return [{ subject, status: ended === undefined || ended === 0 ? "ok" : "warning", text }, ...checks];
}

interface Trial {
  readonly lines: readonly string[];
  /** Exit code or signal, where it ended by itself. */
  readonly ended: number | string | undefined;
}

function runFor(entry: string, ms: number): Promise<Trial> {
  const preload = createRequire(import.meta.url).resolve("telltale/register");
  const child = spawn(process.execPath, ["--require", preload, entry], {
    env: { ...process.env, TELLTALE_LOG: "debug", OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_PROMETHEUS_PORT: "0" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (said.length < MAX_CHARACTERS) said += text;
  });
  let isAsked = false;
  const timers = [
    setTimeout(() => {
      isAsked = true;
      child.kill("SIGTERM");
    }, ms),
    setTimeout(() => child.kill("SIGKILL"), ms + ENDING_MS),
  ];
  return new Promise((resolve) => {
    const finish = (ended: Trial["ended"]): void => {
      for (const timer of timers) clearTimeout(timer);
      // The app may have left its own line open.
      const lines = said.split("\n").map((line) => /telltale: (.*)$/.exec(line)?.[1]);
      resolve({ lines: lines.filter((line) => line !== undefined), ended: isAsked ? undefined : ended });
    };
    child.on("error", ({ message }) => finish(message));
    // What it has started may hold its stderr open.
    child.on("exit", (code, signal) => void setTimeout(() => finish(code ?? signal ?? undefined), 50));
  });
}
