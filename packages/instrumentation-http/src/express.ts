import {
  defineInstrumentation,
  type Guard,
  hasListeners,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
  undoAll,
} from "@telltale/core";
import { type CreateRouter, type Layer, type Message, noteMounted, type Router } from "./layer.js";
import { enterLayer, enterRouter } from "./routing.js";

/** Names the route of each request that Express 4 and 5, or the `router` package, handle. Needs the http instrumentation. */
export function expressInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "express",
    modules: [
      {
        module: "express",
        majors: [4, 5],
        target: (exports) => (exports as { Router: object }).Router,
        patch: (loaded, guard) => (loaded.version.startsWith("4.") ? patchExpress4(loaded, guard) : () => {}),
      },
      // Express 5 is built on this package.
      {
        module: "router",
        majors: [2, 2],
        target: (exports) => (exports as { prototype: object }).prototype,
        patch: patchRouter,
      },
    ],
  });
}

function patchExpress4({ exports }: LoadedModule, guard: Guard): () => void {
  const { Router } = exports as { Router: CreateRouter };
  // The function is itself the prototype of the routers it makes.
  return patchRouters(Router, Router, "handle_request", guard);
}

function patchRouter({ exports }: LoadedModule, guard: Guard): () => void {
  const Router = exports as CreateRouter & { readonly prototype: object };
  return patchRouters(Router, Router.prototype, "handleRequest", guard);
}

type Method<This> = (this: This, ...args: unknown[]) => unknown;

function patchRouters(
  createRouter: CreateRouter,
  routers: object,
  layerMethod: "handle_request" | "handleRequest",
  guard: Guard,
): () => void {
  const state = { on: true };
  const hears = () => state.on && guard.on && hasListeners();
  const undo = [
    replaceMethod<Method<Router>>(
      routers,
      "use",
      (find) =>
        function use(this: Router, first: unknown) {
          const before = this.stack?.length;
          const result = Reflect.apply(find(), this, arguments);
          // Also while nobody listens: an app is put together once.
          if (state.on && guard.on) {
            try {
              noteMounted(this, before, first);
            } catch (error) {
              guard.failed(error);
            }
          }
          return result;
        },
    ),
    replaceMethod<Method<Router>>(
      routers,
      "handle",
      (find) =>
        function handle(this: Router, request: unknown, _response: unknown, callback: unknown) {
          if (hears()) {
            try {
              arguments[2] = enterRouter(this, request as Message, callback);
            } catch (error) {
              guard.failed(error);
            }
          }
          return Reflect.apply(find(), this, arguments);
        },
    ),
    replaceMethod<Method<Layer>>(
      layersOf(createRouter),
      layerMethod,
      (find) =>
        function handleRequest(this: Layer, request: unknown) {
          if (hears()) {
            try {
              enterLayer(this, request as Message, createRouter);
            } catch (error) {
              guard.failed(error);
            }
          }
          return Reflect.apply(find(), this, arguments);
        },
    ),
  ];
  return () => {
    state.on = false;
    undoAll(undo);
  };
}

/** The prototype of layers, which is no export of either package. */
function layersOf(createRouter: CreateRouter): object {
  const router = createRouter();
  router.use(() => {});
  const [layer] = router.stack;
  if (layer === undefined) throw new Error("expected a router to keep the layer that it was given");
  return Object.getPrototypeOf(layer) as object;
}
