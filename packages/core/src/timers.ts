/**
 * Node's timers as they are when Telltale starts. Tests of the app put others in place of the global ones: they would count ours, run them
 * at once, or never.
 */
export const { setTimeout: startTimer, clearTimeout: stopTimer, setImmediate: startImmediate } = globalThis;
/** The same of `process.nextTick`. */
export const { nextTick: startTick } = process;
