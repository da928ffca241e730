import { type Command, UsageError } from "./command.js";
import { findProgram, type Invocation, isSystems } from "./run/find-program.js";
import { runAsChild } from "./run/run-as-child.js";

const HELP = `telltale run [options of node] <app> [arguments]    runs a program as node does, watched

  telltale run app.js --port 80                    node --require telltale/register app.js --port 80
  telltale run --inspect --import ./setup.mjs app.mjs
  telltale run app.ts                              where Node itself strips types; else --import tsx, --require ts-node/register
  telltale run npm start                           a command, with the preload in NODE_OPTIONS; package managers are left alone
  telltale run tsx watch app.ts

All that follows "run" is given to node, or to the command, as it is. Its output, signals and exit code are those of the program, which
takes the place of this process; on Windows, and where a parent talks to it by IPC, it is a child of it.
`;

/** `telltale run`. */
export const run: Command = {
  help: HELP,
  passesOn: true,
  async run(args) {
    if (args.length === 0)
      throw new UsageError("say which program to run: telltale run app.js; see telltale run --help");
    become(findProgram(args, process.env));
  },
};

type Exec = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

function become(program: Invocation): void {
  const { file, args, env } = program;
  const { execve } = process as { execve?: Exec };
  const isChild = execve === undefined || process.platform === "win32" || process.send !== undefined;
  if (isChild || !isSystems(file)) runAsChild(program);
  else execve.call(process, file, args, env);
}
