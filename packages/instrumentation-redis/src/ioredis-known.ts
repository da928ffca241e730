import { Attached } from "@telltale/core";
import type { Call } from "./call.js";
import type { Caller } from "./ioredis-call.js";
import type { Command } from "./ioredis.js";

/** In place of a call, for a command that is nobody's: of the connection itself, or of an exporter. */
export const nobodys = Symbol("telltale.nobodys");

/** What is known of a command. */
export type Known = Call<Command> | Caller | typeof nobodys;

/**
 * A private field on the command itself: who inspects a pipeline sees its commands, and must not see this. It costs what a symbol
 * does; a WeakMap costs 3 µs a command more, most of it in the garbage collector.
 */
class KnownCommand extends Attached {
  #known: Known | undefined;

  constructor(command: object, known: Known | undefined) {
    super(command);
    this.#known = known;
  }

  static get(command: object): Known | undefined {
    return #known in command ? command.#known : undefined;
  }

  /** False for one that is known, or about to be. */
  static claim(command: object): boolean {
    try {
      // oxlint-disable-next-line no-new
      new KnownCommand(command, undefined);
      return true;
    } catch {
      return false;
    }
  }

  static set(command: object, known: Known): void {
    (command as KnownCommand).#known = known;
  }
}

/** What is known of a command; undefined for one that was new until now, and is to be known by `know` next. */
export function knownOf(command: Command): Known | undefined {
  // A command that is queued, or sent, is new but for a few. Those of a pipeline were queued before, and have been given their place in it.
  if (command.pipelineIndex === undefined && KnownCommand.claim(command)) return undefined;
  const known = KnownCommand.get(command);
  if (known === undefined) KnownCommand.claim(command);
  return known;
}

export const know: (command: Command, known: Known) => void = KnownCommand.set;
