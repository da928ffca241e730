import { hasListeners, type InstrumentedModule, replaceMethod, undoAll } from "@telltale/core";
import { enterDispatch, leaveDispatch, notePool, type Sending } from "./sending.js";
import { hearPools, symbolOf } from "./undici-pools.js";

type Dispatch = (options: unknown, handler: unknown) => unknown;
type Interceptor = (dispatch: Dispatch) => Dispatch;
type Compose = (this: object, ...interceptors: unknown[]) => unknown;

/** What is used of the package. */
interface Undici {
  readonly Client: { readonly prototype: object };
  readonly Pool: { readonly prototype: object };
  readonly Dispatcher: { readonly prototype: object };
}

/**
 * undici itself: its requests are heard by its channels, as those of `fetch` are. Here is found out whose they are: what waits in a
 * pool, is sent again or is sent on goes out in the context of whatever happened then.
 */
export const undici: InstrumentedModule = {
  module: "undici",
  majors: [5, 8],
  target: (exports) => (exports as Undici).Client.prototype,
  patch({ exports }, guard) {
    const { Client, Pool, Dispatcher } = exports as Undici;
    const state = { on: true };
    const hears = (): boolean => state.on && guard.on && hasListeners();
    const pools = Object.getPrototypeOf(Pool.prototype) as object;
    const isPool = (dispatcher: object): boolean => Object.prototype.isPrototypeOf.call(pools, dispatcher);
    function enter(handler: unknown, dispatcher: object | undefined): Sending | undefined {
      try {
        const outer = enterDispatch(handler);
        if (dispatcher !== undefined && isPool(dispatcher)) notePool(dispatcher);
        return outer;
      } catch (error) {
        guard.failed(error);
        return undefined;
      }
    }
    const wrapDispatch = (find: () => Dispatch): Dispatch =>
      function dispatch(this: object, _options, handler) {
        if (!hears()) return Reflect.apply(find(), this, arguments);
        const outer = enter(handler, this);
        try {
          return Reflect.apply(find(), this, arguments);
        } finally {
          leaveDispatch(outer);
        }
      };
    const between: Interceptor = (dispatch) => {
      const heard: Dispatch = (options, handler) => {
        if (!hears()) return dispatch(options, handler);
        const outer = enter(handler, undefined);
        try {
          return dispatch(options, handler);
        } finally {
          leaveDispatch(outer);
        }
      };
      return Object.defineProperty(heard, "name", { value: dispatch.name, configurable: true });
    };
    // A handler that an interceptor has made sends again through what is below it.
    const wrapCompose = (find: () => Compose): Compose =>
      function compose(this: object, ...given) {
        const interceptors = (Array.isArray(given[0]) ? given[0] : given) as unknown[];
        const all = state.on && guard.on ? [between, ...interceptors.flatMap((one) => [one, between])] : interceptors;
        return Reflect.apply(find(), this, all) as unknown;
      };
    const bases = Object.getPrototypeOf(Client.prototype) as object;
    const undo = [replaceMethod(bases, "dispatch", wrapDispatch)];
    if ("compose" in Dispatcher.prototype) undo.push(replaceMethod(Dispatcher.prototype, "compose", wrapCompose));
    // What a pool keeps until a client is free, and what undici 5 and 6 send on without `dispatch`.
    for (const owner of [Client.prototype, pools])
      undo.push(replaceMethod(owner, symbolOf(owner, "dispatch"), wrapDispatch));
    undo.push(hearPools(pools, Client, guard));
    return () => {
      state.on = false;
      undoAll(undo);
    };
  },
};
