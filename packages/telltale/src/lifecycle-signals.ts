import type { EventEmitter } from "node:events";
import { constants } from "node:os";
import { replaceMethod, say, startImmediate } from "@telltale/core";

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;
type OnSignal = (signal: string | symbol) => void;

export interface Hearing {
  /** From here on they are heard where the app does not listen, too. */
  hold(): void;
  stop(): void;
}

/**
 * Hears signals just before the app does, by no listener: an app looks at those to know whether it is alone (as `signal-exit` does).
 *
 * For the first listener of a signal Node opens a handle, which calls the `process.emit` of that moment; with the last it closes it.
 * Two listeners of the events `newListener` and `removeListener` do this. Here they are called without any listener, so that a
 * handle is open before there is one, and calls us; we emit the signal then. Where Node should no longer have these functions, nothing is
 * heard.
 *
 * An open handle is what keeps a signal from killing. So without a listener there is one only from `hold` on; and what the process then
 * sends to itself is heard at once: the handle would tell with the loop's next turn, of which there may be none.
 */
export function hearSignals(signals: readonly NodeJS.Signals[], hear: (signal: NodeJS.Signals) => void): Hearing {
  const openHandle = listenerNamed("newListener", "startListeningIfSignal");
  const closeHandle = listenerNamed("removeListener", "stopListeningIfSignal");
  if (openHandle === undefined || closeHandle === undefined) {
    say("info", `nothing is delivered on a signal: Node.js ${process.version} does not let it be heard`);
    return { hold() {}, stop() {} };
  }
  let on = true;
  let undoKill: (() => void) | undefined;

  /** Does nothing while the handle is open. */
  function open(signal: NodeJS.Signals): void {
    const emit: Emit = (event, ...args) => {
      if (on) hear(signal);
      return (process.emit as unknown as Emit).call(process, event, ...args);
    };
    withProperty("emit", emit, () => openHandle?.(signal));
  }
  /** Also where there are listeners. */
  function close(signal: NodeJS.Signals): void {
    withProperty(
      "listenerCount",
      () => 0,
      () => closeHandle?.(signal),
    );
  }

  const undoEmit = replaceMethod<Emit>(
    Object.getPrototypeOf(process) as object,
    "emit",
    (find) =>
      function emit(event, subject) {
        const isOurs = on && this === process && isOneOf(signals, subject);
        // Before its first listener: ours is the handle that Node finds.
        if (isOurs && event === "newListener") open(subject);
        const result = Reflect.apply(find(), this, arguments);
        // With the last listener Node has closed the handle.
        if (isOurs && event === "removeListener" && undoKill !== undefined) open(subject);
        return result;
      },
  );
  for (const signal of signals) if (process.listenerCount(signal) > 0) adopt(signal);

  /** Of an app that has listened before. A signal that has come while the app was busy is lost with the handle, so it is heard first. */
  function adopt(signal: NodeJS.Signals): void {
    startImmediate(() => {
      if (!on) return;
      close(signal);
      open(signal);
    }).unref();
  }

  return {
    hold() {
      if (!on || undoKill !== undefined) return;
      undoKill = replaceMethod<typeof process.kill>(
        process,
        "kill",
        (find) =>
          function kill(this: unknown, pid, given) {
            const signal = on && pid === process.pid ? nameOf(given) : undefined;
            if (!isOneOf(signals, signal) || process.listenerCount(signal) > 0)
              return Reflect.apply(find(), this, arguments);
            hear(signal);
            return true;
          },
      );
      for (const signal of signals) if (process.listenerCount(signal) === 0) open(signal);
    },
    stop() {
      if (!on) return;
      on = false;
      undoEmit();
      undoKill?.();
      for (const signal of signals) if (process.listenerCount(signal) === 0) closeHandle(signal);
    },
  };
}

/** As `process.kill` reads it. */
function nameOf(signal: string | number | undefined): string | undefined {
  if (typeof signal !== "number") return signal ?? "SIGTERM";
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
}

function listenerNamed(event: string, name: string): OnSignal | undefined {
  return (process as EventEmitter).listeners(event).find((listener) => listener.name === name) as OnSignal | undefined;
}

function isOneOf(signals: readonly NodeJS.Signals[], subject: unknown): subject is NodeJS.Signals {
  return (signals as readonly unknown[]).includes(subject);
}

/** Runs something while `process` has another property. */
function withProperty(name: "emit" | "listenerCount", value: unknown, run: () => void): void {
  const own = Object.getOwnPropertyDescriptor(process, name);
  Object.defineProperty(process, name, { value, writable: true, configurable: true });
  try {
    run();
  } finally {
    if (own === undefined) Reflect.deleteProperty(process, name);
    else Object.defineProperty(process, name, own);
  }
}
