import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url);
/** The preload as users name it, by path, so that it can be given to programs outside of this workspace. */
export const REGISTER = fileURLToPath(new URL("packages/telltale/register.cjs", root));
/** A program of test/fixtures. */
export const fixture = (path: string): string => fileURLToPath(new URL(`test/fixtures/${path}`, root));

export interface ProgramRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the start, or from the signal where one was sent, to the end. */
  readonly endMs: number;
}

export interface ProgramOptions {
  readonly node?: string;
  readonly nodeOptions?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Sent once the program has printed a line. */
  readonly signal?: NodeJS.Signals | undefined;
  /** The program is killed after this; the run then shows SIGKILL. */
  readonly timeoutMs?: number;
}

/** The environment without anything that steers Node, npm or telemetry. */
export function plainEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined && !/^(node_|npm_|otel_|telltale_|vitest|test$|vite_|forcecolor|force_color)/i.test(name),
  );
  return Object.fromEntries(kept) as Record<string, string>;
}

/** Runs a program to its end. */
export function runProgram(program: string, options: ProgramOptions = {}): Promise<ProgramRun> {
  const args = [...(options.nodeOptions ?? []), program, ...(options.args ?? [])];
  const child = spawn(options.node ?? process.execPath, args, {
    env: { ...plainEnvironment(), ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let stdout = "";
  let stderr = "";
  let from = performance.now();
  let signalled = options.signal === undefined;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (signalled || !stdout.includes("\n")) return;
    signalled = true;
    // Whatever the line announced is written just before; let it settle.
    setTimeout(() => {
      from = performance.now();
      child.kill(options.signal);
    }, 100);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 20_000);
  return new Promise((resolve, reject) => {
    let endMs = 0;
    child.on("error", reject);
    child.on("exit", () => {
      endMs = performance.now() - from;
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, endMs });
    });
  });
}

/** What Telltale itself said on stderr, a line each. */
export function telltaleLines(stderr: string): string[] {
  return stderr.split("\n").filter((line) => line.startsWith("telltale: "));
}

/** What the program said on stderr: without Telltale's lines, and without stack frames, which name the wrappers passed through. */
export function programLines(stderr: string): string[] {
  return stderr.split("\n").filter((line) => !line.startsWith("telltale: ") && !/^\s+at /.test(line));
}
