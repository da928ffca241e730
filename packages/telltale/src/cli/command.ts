/** A command of the command line. Its module loads when it is called. */
export interface Command {
  /** What `--help` shows. */
  readonly help: string;
  /** What follows its first argument is another program's: `--help`, too. */
  readonly passesOn?: boolean;
  /** @throws UsageError where the arguments, or what they lead to, are wrong; what `parseArgs` throws is as good. */
  run(args: readonly string[]): Promise<void>;
}

/** What the caller can put right: shown without a stack, and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
