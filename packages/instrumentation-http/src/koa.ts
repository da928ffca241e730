import {
  activeRequest,
  defineInstrumentation,
  type Guard,
  hasListeners,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
} from "@telltale/core";
import { setRoute } from "./name-route.js";
import { joinPattern } from "./route-pattern.js";

/** Names the route of each request that `@koa/router` 12 to 15 or `koa-router` 12 to 14 hand to a handler. Needs the http instrumentation. */
export function koaInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "koa",
    modules: [
      { module: "@koa/router", majors: [12, 15], target: layersOf, patch: patchLayers },
      { module: "koa-router", majors: [12, 14], target: layersOf, patch: patchLayers },
    ],
  });
}

interface Layer {
  readonly path: string | RegExp;
  /** None where `use` has put it there. */
  readonly methods: readonly string[];
}

interface Router {
  readonly stack: readonly Layer[];
  get(path: string, handler: () => void): unknown;
}

type CreateRouter = new () => Router;

/** The prototype of layers, which is not exported. */
function layersOf(exports: unknown): object {
  const { Router = exports } = exports as { Router?: unknown };
  const router = new (Router as CreateRouter)();
  router.get("/", () => {});
  const [layer] = router.stack;
  if (layer === undefined) throw new Error("expected a router to keep the layer that it was given");
  return Object.getPrototypeOf(layer) as object;
}

/** A layer is asked for what it captures when, and only when, it is its turn to handle the request. */
function patchLayers({ exports }: LoadedModule, guard: Guard): () => void {
  const state = { on: true };
  const restore = replaceMethod<(this: Layer, ...args: unknown[]) => unknown>(
    layersOf(exports),
    "captures",
    (find) =>
      function captures(this: Layer) {
        if (state.on && guard.on && hasListeners()) {
          try {
            const request = this.methods.length > 0 ? activeRequest() : undefined;
            // With the prefixes of all routers that it is nested in.
            if (request !== undefined) setRoute(request, joinPattern("", this.path) || "/");
          } catch (error) {
            guard.failed(error);
          }
        }
        return Reflect.apply(find(), this, arguments);
      },
  );
  return () => {
    state.on = false;
    restore();
  };
}
