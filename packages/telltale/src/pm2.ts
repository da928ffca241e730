import { sep } from "node:path";
import { findFunction } from "./lambda/handler-file.js";

type Environment = Readonly<Record<string, string | undefined>>;

/** The program that runs in this process, and its environment. */
export interface Program {
  readonly script: string | undefined;
  readonly env: Environment;
}

/** What PM2 starts in place of a program, which that loads once it has set up everything; after the preload. */
const CONTAINERS = ["ProcessContainer.js", "ProcessContainerFork.js"].map((file) => `${sep}pm2${sep}lib${sep}${file}`);
const DAEMON = `${sep}pm2${sep}lib${sep}Daemon.js`;

/**
 * The program itself. On AWS Lambda it is the function. Where PM2 runs it: its script and, in cluster mode, the variables that PM2 will give it stand in variables of
 * PM2's own. (Seen in PM2 7.0: as `pm_exec_path`, there or in the JSON of `pm2_env`.)
 */
export function findProgram(script: string | undefined, env: Environment): Program {
  const handler = findFunction(env);
  if (handler !== undefined) return { script: handler, env };
  if (script === undefined || !CONTAINERS.some((container) => script.endsWith(container))) return { script, env };
  const own = { ...env, ...parseVariables(env["pm2_env"]) };
  return { script: own["pm_exec_path"] ?? script, env: own };
}

/** PM2's daemon, which forks the programs. */
export function isPm2Daemon(script: string): boolean {
  return script.endsWith(DAEMON);
}

function parseVariables(json: string | undefined): Environment {
  try {
    const all = Object.entries(JSON.parse(json ?? "{}") as Record<string, unknown>);
    // Numbers of an ecosystem file become texts in the program's environment.
    return Object.fromEntries(
      all.filter(([, value]) => typeof value !== "object").map(([name, value]) => [name, String(value)]),
    );
  } catch {
    return {};
  }
}
