import {
  defineInstrumentation,
  type Guard,
  hasListeners,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
  requireInner,
  undoAll,
} from "@telltale/core";
import { nameRoute } from "./name-route.js";

/** Names the route of each request that Fastify 4 and 5 handle, NestJS's adapter for it too. Needs the http instrumentation. */
export function fastifyInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "fastify",
    modules: [
      {
        module: "fastify",
        majors: [4, 5],
        inner: ["find-my-way"],
        target: (_, loaded) => routerOf(loaded),
        patch: hearRouter,
      },
    ],
  });
}

interface Found {
  /** What Fastify keeps with a route. */
  readonly store?: { readonly config?: { readonly url?: string } } | undefined;
}
type CallHandler = (this: object, found: Found | null, message: object, ...others: never[]) => unknown;
type Lookup = (this: object, message: object, ...others: never[]) => unknown;
type Find = (this: object, ...others: never[]) => Found | null;

/** Copies of Fastify may share it. */
function routerOf(loaded: LoadedModule): { readonly prototype: object } {
  return requireInner(loaded, "find-my-way") as { readonly prototype: object };
}

/**
 * Fastify's router hands each request to the route that it has found, before any hook runs, which may refuse the request. A hook would tell
 * the same, but is seen by the app: in `printRoutes({ includeHooks: true })`, and by tests that count hooks.
 */
function hearRouter(loaded: LoadedModule, guard: Guard): () => void {
  const router = routerOf(loaded).prototype;
  let active = true;
  const note = (found: Found | null, message: object): void => {
    if (!active || !guard.on || found === null || !hasListeners()) return;
    try {
      // Undefined where nothing has matched.
      nameRoute(message, found.store?.config?.url);
    } catch (error) {
      guard.failed(error);
    }
  };
  const restore = Object.hasOwn(router, "callHandler") ? hearNewRouter(router, note) : hearOldRouter(router, note);
  return () => {
    active = false;
    restore();
  };
}

function hearNewRouter(router: object, note: (found: Found | null, message: object) => void): () => void {
  return replaceMethod<CallHandler>(router, "callHandler", (find) => {
    const original = find();
    return function callHandler(this: object, found, message, response, context) {
      note(found, message);
      return original.call(this, found, message, response, context);
    };
  });
}

/** That of the first releases of Fastify 4 finds a route and calls it in one: what it finds first is for who asked last. */
function hearOldRouter(router: object, note: (found: Found | null, message: object) => void): () => void {
  let asking: object | undefined;
  const undo = [
    replaceMethod<Lookup>(router, "lookup", (find) => {
      const original = find();
      return function lookup(this: object, message) {
        asking = message;
        try {
          return Reflect.apply(original, this, arguments) as unknown;
        } finally {
          asking = undefined;
        }
      };
    }),
    replaceMethod<Find>(router, "find", (find) => {
      const original = find();
      return function (this: object) {
        const message = asking;
        asking = undefined;
        const found = Reflect.apply(original, this, arguments) as Found | null;
        if (message !== undefined) note(found, message);
        return found;
      };
    }),
  ];
  return () => undoAll(undo);
}
