import {
  defineInstrumentation,
  type Guard,
  hasListeners,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
} from "@telltale/core";
import { nameRoute } from "./name-route.js";
import { servedOf } from "./served.js";

/** Names the route of each request that Hono 4 handles on `@hono/node-server`. Needs the http instrumentation. */
export function honoInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "hono",
    modules: [{ module: "hono", majors: [4, 4], others: PRESETS, target: routersOf, patch: patchRouters }],
  });
}

/** `hono/tiny` and `hono/quick` have routers of their own, and do not load the main module. */
const PRESETS = ["dist", "dist/cjs"].flatMap((folder) => [`${folder}/preset/tiny.js`, `${folder}/preset/quick.js`]);

type Handler = (this: unknown, context: Context, ...args: unknown[]) => unknown;

interface Route {
  readonly path: string;
  /** `ALL` for middleware, and for routes of all methods. */
  readonly method: string;
  readonly handler: Handler;
}

interface Context {
  /** On `@hono/node-server` the messages of Node. */
  readonly env?: { readonly incoming?: object };
  readonly req: { readonly matchedRoutes: readonly Route[] };
}

/** The prototype of the router that an app has unless it is given another one. */
function routersOf(exports: unknown): object {
  const { Hono } = exports as { Hono: new () => { readonly router: object } };
  return Object.getPrototypeOf(new Hono().router) as object;
}

type Add = (this: object, method: string, path: string, entry: readonly [Handler, Route]) => unknown;

/** Each handler is added to the router with what is known of its route; the one that is run tells it. */
function patchRouters({ exports }: LoadedModule, guard: Guard): () => void {
  active = guard;
  const restore = replaceMethod<Add>(
    routersOf(exports),
    "add",
    (find) =>
      function add(this: object, _method, _path, entry) {
        if (active?.on === true) {
          try {
            const [handler, route] = entry;
            arguments[2] = [hearHandler(handler, route), route];
          } catch (error) {
            guard.failed(error);
          }
        }
        return Reflect.apply(find(), this, arguments);
      },
  );
  return () => {
    active = undefined;
    restore();
  };
}

/** Handlers stay in their app; nothing is noted while there is none. */
let active: Guard | undefined;

function hearHandler(handler: Handler, route: Route): Handler {
  const answers = isRoute(route);
  const heard: Handler = function (context) {
    if (active?.on === true && hasListeners()) {
      try {
        enterHandler(context, answers ? route : undefined);
      } catch (error) {
        active.failed(error);
      }
    }
    return Reflect.apply(handler, this, arguments);
  };
  for (const property of ["name", "length"] as const) {
    Object.defineProperty(heard, property, { value: handler[property], configurable: true });
  }
  return heard;
}

/** Until a route runs it is the first one that will: middleware may refuse the request. */
function enterHandler({ env, req }: Context, running: Route | undefined): void {
  const message = env?.incoming;
  if (message === undefined) return;
  if (running !== undefined) nameRoute(message, running.path);
  else if (servedOf(message)?.request?.route === undefined) nameRoute(message, req.matchedRoutes.find(isRoute)?.path);
}

/** As Hono's own `inspectRoutes` tells them apart: what runs for all methods and takes `next` is middleware. */
function isRoute({ method, handler }: Route): boolean {
  const { __COMPOSED_HANDLER: original = handler } = handler as Handler & { readonly __COMPOSED_HANDLER?: Handler };
  return method !== "ALL" || original.length < 2;
}
