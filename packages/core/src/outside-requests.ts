import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Runs what it is given as it was when this was loaded: what lives long and is made by a request would keep all that an app's AsyncLocalStorage
 * has for it. Not within a callback of Node's HTTP parser: what is thrown there after it has run is
 * lost (`startTick(outsideRequests, …)` is safe).
 */
export const outsideRequests = AsyncLocalStorage.snapshot();
