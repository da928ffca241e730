import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { plainEnvironment } from "../run-program.js";

export interface ViewerProcess {
  readonly url: string;
  readonly otlpUrl: string;
  /** What the process has of the machine's memory. Linux only; 0 elsewhere. */
  rssBytes(): number;
  /** Time of processors that it has taken. Linux only; 0 elsewhere. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

const TELLTALE = fileURLToPath(new URL("../../../packages/telltale/telltale.cjs", import.meta.url));

/** `telltale viewer`, as users start it, on free ports. */
export async function startViewerProcess(): Promise<ViewerProcess> {
  const child = spawn(process.execPath, [TELLTALE, "viewer", "--port", "0", "--otlp-port", "0"], {
    env: plainEnvironment(),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = await Promise.race([firstLine(child), ended.then(() => "")]);
  const [, url, otlpUrl] = /watch at (http:\S+) · send OTLP to (http:\S+)/.exec(line) ?? [];
  if (url === undefined || otlpUrl === undefined) throw new Error(`telltale viewer said ${JSON.stringify(line)}`);
  return {
    url,
    otlpUrl,
    rssBytes() {
      if (process.platform !== "linux") return 0;
      return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0);
    },
    cpuSeconds() {
      if (process.platform !== "linux") return 0;
      // utime and stime, in hundredths of a second: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return (Number(fields[11]) + Number(fields[12])) / 100;
    },
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(text);
    });
  });
}
