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
  #known: Known;

  constructor(command: object, known: Known) {
    super(command);
    this.#known = known;
  }

  static get(command: object): Known | undefined {
    return #known in command ? command.#known : undefined;
  }

  static set(command: object, known: Known): void {
    try {
      // oxlint-disable-next-line no-new
      new KnownCommand(command, known);
    } catch {
      // It has one.
      (command as KnownCommand).#known = known;
    }
  }
}

export function knownOf(command: Command): Known | undefined {
  return KnownCommand.get(command);
}

export function know(command: Command, known: Known): void {
  KnownCommand.set(command, known);
}
