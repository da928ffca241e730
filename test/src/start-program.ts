import { type ChildProcess, spawn } from "node:child_process";
import { waitFor } from "@telltale/testkit";
import { plainEnvironment, REGISTER } from "./run-program.js";

export interface RunningProgram {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Lines of stdout so far. */
  lines(): string[];
  stderr(): string;
  /** Waits until a line has matched so often, and returns all matches so far. */
  said(pattern: RegExp, times: number): Promise<RegExpExecArray[]>;
  /** Ends it, however it is. */
  kill(): Promise<void>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** False starts it without Telltale. */
  readonly preload?: boolean;
  readonly args?: readonly string[];
  readonly node?: string;
}

/** Starts a program with the preload, without a collector for its traces. */
export function startProgram(program: string, options: StartOptions = {}): RunningProgram {
  const { env = {}, preload = true, args = [], node = process.execPath } = options;
  const child = spawn(node, [...(preload ? ["--require", REGISTER] : []), program, ...args], {
    env: { ...plainEnvironment(), OTEL_TRACES_EXPORTER: "none", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const lines = (): string[] => stdout.split("\n").slice(0, -1);
  const matches = (pattern: RegExp): RegExpExecArray[] =>
    [...lines(), ...stderr.split("\n").slice(0, -1)]
      .map((line) => pattern.exec(line))
      .filter((match) => match !== null);
  return {
    child,
    pid: child.pid ?? 0,
    lines,
    stderr: () => stderr,
    async said(pattern, times) {
      await waitFor(
        () => matches(pattern).length >= times,
        () => `${times} times ${pattern}; it said:\n${stdout}${stderr}`,
        15_000,
      );
      return matches(pattern);
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("exit", resolve));
    },
  };
}
