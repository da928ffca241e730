import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Runs what it is given as it was when this was loaded: what lives long and is made by a request would keep all that an app's AsyncLocalStorage
 * has for it. Not within a callback of the app's: what is thrown in one of Node's HTTP parser after that, nobody hears of.
 */
export const outsideRequests = AsyncLocalStorage.snapshot();
