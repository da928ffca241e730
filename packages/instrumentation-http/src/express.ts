import type { IncomingMessage } from "node:http";
import { defineInstrumentation, type Guard, type Instrumentation, listenerSlot } from "@telltale/core";
import { requestOf } from "./source-server.js";

/** What `app.get` and `app.use` take as a path. */
type Pattern = string | RegExp | readonly Pattern[];
type Next = (error?: unknown) => void;
type Handle = (this: Layer, request: IncomingMessage, response: object, next: Next) => unknown;

/** One entry of a router's stack: a route, or something mounted with `use`. Express 4 has other names for the same. */
interface Layer {
  readonly route?: unknown;
  handleRequest?: Handle;
  handle_request?: Handle;
}
interface Router {
  readonly stack: Layer[];
  use(...args: unknown[]): unknown;
  route(path: Pattern): unknown;
}

/**
 * Routes of Express 4 and 5 as `http.route`: the patterns of all mounts and of the route that answers. There is no span per
 * middleware. Works on requests that `httpInstrumentation` hears.
 */
export function expressInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "express",
    modules: [
      // Express 5 has its router in a package of its own, Express 4 in itself.
      { module: "router", majors: [2, 2], patch: ({ exports }, guard) => patchRouter((exports as { prototype: Router }).prototype, guard) },
      {
        module: "express",
        majors: [4, 5],
        patch: ({ exports, version }, guard) =>
          version.startsWith("4.") ? patchRouter((exports as { Router: Router }).Router, guard) : () => {},
      },
    ],
  });
}

const slot = listenerSlot();

function patchRouter(router: Router, guard: Guard): () => void {
  const patterns = new WeakMap<Layer, Pattern>();
  const { use, route } = router;
  let restoreLayer: (() => void) | undefined;

  /** Remembers the path of the layers that a call added. */
  function note(stack: readonly Layer[], from: number, path: Pattern): void {
    if (!guard.on) return;
    try {
      for (const layer of stack.slice(from)) {
        patterns.set(layer, path);
        restoreLayer ??= patchLayer(Object.getPrototypeOf(layer) as Layer, patterns, guard);
      }
    } catch (error) {
      guard.failed(error);
    }
  }

  const patched = {
    use(this: Router, ...args: unknown[]): unknown {
      const from = this.stack.length;
      const result = use.apply(this, args);
      note(this.stack, from, isPattern(args[0]) ? args[0] : "/");
      return result;
    },
    route(this: Router, path: Pattern): unknown {
      const from = this.stack.length;
      const result = route.call(this, path);
      note(this.stack, from, path);
      return result;
    },
  };
  Object.defineProperty(patched.use, "length", { value: use.length, configurable: true });
  Object.assign(router, patched);
  return () => {
    if (router.use === patched.use) router.use = use;
    if (router.route === patched.route) router.route = route;
    restoreLayer?.();
  };
}

/** `use` takes a handler, a list of handlers, or a path first. */
function isPattern(value: unknown): value is Pattern {
  return Array.isArray(value) ? isPattern(value[0]) : typeof value === "string" || value instanceof RegExp;
}

function patchLayer(prototype: Layer, patterns: WeakMap<Layer, Pattern>, guard: Guard): () => void {
  const method = prototype.handleRequest === undefined ? "handle_request" : "handleRequest";
  const original = prototype[method];
  if (original === undefined) return () => {};
  const patched: Handle = function handleRequest(this: Layer, message, response, next) {
    const request = guard.on ? requestOf(message) : undefined;
    const pattern = request === undefined ? undefined : patterns.get(this);
    // Most layers are middleware for every path: they change nothing.
    if (request === undefined || pattern === undefined || (pattern === "/" && this.route === undefined)) {
      return original.call(this, message, response, next);
    }
    const before = (request.slots[slot] as string | undefined) ?? "";
    const path = joinPatterns(before, matched(pattern, message));
    if (this.route !== undefined) {
      request.route = path === "" ? "/" : path;
      return original.call(this, message, response, next);
    }
    request.slots[slot] = path;
    return original.call(this, message, response, function leave(error) {
      request.slots[slot] = before;
      next(error);
    });
  };
  prototype[method] = patched;
  return () => {
    if (prototype[method] === patched) prototype[method] = original;
  };
}

/** The pattern that matched, of several; newer routers note it on the message, for older ones all of them are named. */
function matched(pattern: Pattern, message: IncomingMessage): string {
  if (typeof pattern === "string") return pattern;
  if (pattern instanceof RegExp) return String(pattern);
  const noted = Object.getOwnPropertySymbols(message).find(({ description }) => description === "router.tracing.matchedRoute");
  const found = noted === undefined ? undefined : (message as unknown as Record<symbol, unknown>)[noted];
  if (typeof found === "string" || found instanceof RegExp) return String(found);
  return pattern.map((one) => matched(one, message)).join("|");
}

/** `/api` and `/orders/` are `/api/orders`; the root alone is empty. */
function joinPatterns(mount: string, path: string): string {
  const joined = path.startsWith("/") || path === "" ? mount + path : `${mount}/${path}`;
  return joined.length > 0 && joined.endsWith("/") && !path.startsWith("/^") ? joined.replace(/\/+$/, "") : joined;
}

