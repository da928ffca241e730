import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { allowedCores, type Cores, isInstalled, planCores } from "./cores.js";
import { keepAwake } from "./keep-awake.js";

/** A process of ours, and what it has printed. */
export interface Child {
  readonly what: string;
  readonly process: ChildProcess;
  readonly printed: string[];
  readonly gone: Promise<void>;
}

/** Starts processes on the cores they belong to, and ends them. */
export interface Machine {
  /** Undefined: nothing is pinned. */
  readonly cores: Cores | undefined;
  /** Node with these arguments, an IPC channel to it, and no environment but the given one. */
  start(core: "server" | "load", what: string, args: readonly string[], env?: Record<string, string>): Child;
  end(child: Child): Promise<void>;
}

/** What is started ends with `ending`, and by itself when this process is killed: a child sees its channel close. */
export function prepareMachine(ending: AsyncDisposableStack): Machine {
  const cores = planCores(allowedCores());
  const children = new Set<Child>();
  ending.defer(async () => void (await Promise.all([...children].map(end))));

  function start(core: "server" | "load", what: string, args: readonly string[], env = {}): Child {
    const command = [process.execPath, ...args];
    return launch(what, cores === undefined ? command : ["taskset", "-c", String(cores[core]), ...command], env);
  }

  function launch(what: string, [program = "", ...args]: readonly string[], env: Record<string, string>): Child {
    // A process group of its own, so that Ctrl-C reaches us only and things end in order.
    const started = spawn(program, args, {
      detached: true,
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const printed: string[] = [];
    for (const stream of [started.stdout, started.stderr]) {
      stream?.on("data", (text: Buffer) => {
        printed.push(text.toString());
        if (printed.length > 50) printed.shift();
      });
    }
    const gone = new Promise<void>((resolve) => {
      started.once("close", () => resolve());
      started.once("error", (error) => {
        printed.push(error.message);
        resolve();
      });
    });
    const child = { what, process: started, printed, gone };
    children.add(child);
    void gone.then(() => children.delete(child));
    return child;
  }

  async function end(child: Child): Promise<void> {
    child.process.kill("SIGKILL");
    await child.gone;
  }

  if (cores !== undefined) {
    // The databases inherit it.
    execFileSync("taskset", ["-cp", cores.rest.join(","), String(process.pid)], { stdio: "ignore" });
    if (isInstalled("chrt")) {
      for (const core of [cores.server, cores.load]) launch("spinner", keepAwake(core, process.pid), {});
    }
  }
  return { cores, start, end };
}

const PATIENCE_MS = 300_000;

/** Sends a request to a child and waits for the answer to it. */
export function askChild<Answer, Request extends { readonly ask: string } = { readonly ask: string }>(
  child: Child,
  request: Request,
): Promise<Answer> {
  const answer = hearChild<Answer>(child, request.ask);
  // What goes wrong with sending shows as the child's end.
  child.process.send(request, () => {});
  return answer;
}

/** Waits for a message of a child; fails with what it printed when it ends before. */
export async function hearChild<Answer>(child: Child, wanted: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const hear = (message: { answer?: string }): void => {
    if (message.answer === wanted) resolve(message as Answer);
  };
  const fail = (why: string): void => reject(new Error(`${child.what} ${why}\n${child.printed.join("").trim()}`));
  const timer = setTimeout(() => fail(`did not answer "${wanted}" in ${PATIENCE_MS / 1000} s`), PATIENCE_MS);
  child.process.on("message", hear);
  void child.gone.then(() => fail(`ended before it answered "${wanted}"`));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    child.process.off("message", hear);
  }
}
