import { replaceMethod } from "@telltale/core";

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean;

/**
 * Does something when the process ends, before the app's own `exit` handlers, any of which may end it there and then; unseen by who
 * lists them. Returns what undoes it.
 */
export function atExit(act: () => void): () => void {
  let isDone = false;
  const undo = replaceMethod<Emit>(
    // Not `process` itself, whose own properties an app may list or copy.
    Object.getPrototypeOf(process) as object,
    "emit",
    (find) =>
      function emit(event) {
        if (event === "exit" && this === process && !isDone) {
          isDone = true;
          try {
            act();
          } catch {
            // The end is the app's.
          }
        }
        return Reflect.apply(find(), this, arguments);
      },
  );
  return () => {
    isDone = true;
    undo();
  };
}
