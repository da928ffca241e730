/** What must be done before the process ends. */
export interface Ending {
  /** True while there is something to deliver, and somebody there to take it. */
  pending(): boolean;
  /** Delivers it, without a second try. */
  flush(): Promise<void>;
  /** Longest time that the end may be held back, in ms. */
  limitMs(): number;
}

type Emit = (this: NodeJS.Process, event: string | symbol, ...args: unknown[]) => boolean;

/**
 * The first `beforeExit` is kept back while a flush keeps the loop alive; Node then emits it again, and that one is the
 * app's. (A listener would not do: the loop drains a second time after the flush, and the app would hear it twice.)
 * Returns what undoes it.
 */
export function flushBeforeExit(ending: Ending): () => void {
  const emit = process.emit as unknown as Emit;
  let gaveUp = false;
  const held: Emit = function emitHeld(event, ...args) {
    if (event !== "beforeExit" || gaveUp || !ending.pending()) return emit.call(this, event, ...args);
    void flushWithin(ending).then((inTime) => {
      gaveUp = !inTime;
    });
    return true;
  };
  process.emit = held as unknown as typeof process.emit;
  return () => {
    if ((process.emit as unknown) === held) process.emit = emit as unknown as typeof process.emit;
  };
}

/**
 * Flushes on SIGTERM and SIGINT. A signal that nobody else handles still kills, after the flush; where the app handles it,
 * the app decides how it ends. Our listeners are hidden from those who look whether they are alone (as `signal-exit` does).
 * Returns what undoes it.
 */
export function flushOnSignals(ending: Ending): () => void {
  const listeners = new Map<string | symbol, () => void>();
  const reveal = hideListeners(listeners);
  // Whether others listen is asked before anybody hears the signal: who listens once is gone afterwards. Node keeps the `emit` that it
  // finds with the first listener; where the app's came before, ours is put in front of it.
  let othersListen = false;
  const emit = process.emit as unknown as Emit;
  const asked: Emit = function emitSignal(event, ...args) {
    if (listeners.has(event)) othersListen = process.listenerCount(event) > 0;
    return emit.call(this, event, ...args);
  };
  process.emit = asked as unknown as typeof process.emit;
  const undo = (): void => {
    for (const [signal, listener] of listeners) process.removeListener(signal as NodeJS.Signals, listener);
    if ((process.emit as unknown) === asked) process.emit = emit as unknown as typeof process.emit;
    reveal();
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const listener = (): void => {
      const isHandled = othersListen || process.listenerCount(signal) > 0;
      othersListen = false;
      if (isHandled) {
        if (ending.pending()) void ending.flush().catch(() => {});
        return;
      }
      const die = (): void => {
        undo();
        process.kill(process.pid, signal);
      };
      if (ending.pending()) void flushWithin(ending).then(die);
      else die();
    };
    process.prependListener(signal, listener);
    listeners.set(signal, listener);
  }
  return undo;
}

/** Flushes, for a bounded time; the timer is what keeps the loop alive, as everything that is sent is unref'd. */
async function flushWithin(ending: Ending): Promise<boolean> {
  let release = (): void => {};
  const limit = new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), ending.limitMs());
    release = () => clearTimeout(timer);
  });
  const flushed = ending.flush().then(
    () => true,
    () => false,
  );
  const inTime = await Promise.race([flushed, limit]);
  release();
  return inTime;
}

/** Takes listeners out of what `process.listeners`, `rawListeners` and `listenerCount` show. */
function hideListeners(hidden: ReadonlyMap<string | symbol, unknown>): () => void {
  const { listeners, rawListeners, listenerCount } = process;
  type List = (event: string | symbol) => unknown[];
  type Count = (event: string | symbol, of?: unknown) => number;
  const without = (original: List): List =>
    function list(event) {
      const all = original.call(process, event);
      return hidden.has(event) ? all.filter((other) => other !== hidden.get(event)) : all;
    };
  const countOthers: Count = (event, of) => {
    const total = (listenerCount as Count).call(process, event, of);
    return hidden.has(event) && of === undefined ? Math.max(0, total - 1) : total;
  };
  const replaced = {
    listeners: without(listeners as List),
    rawListeners: without(rawListeners as List),
    listenerCount: countOthers,
  };
  Object.assign(process, replaced);
  return () => {
    // They are inherited from EventEmitter: to restore is to delete, unless somebody wrapped ours meanwhile.
    for (const [name, ours] of Object.entries(replaced)) {
      if (Reflect.get(process, name) === ours) Reflect.deleteProperty(process, name);
    }
  };
}
