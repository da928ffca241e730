import {
  defineInstrumentation,
  type Guard,
  hasListeners,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
  requireInner,
} from "@telltale/core";
import { nameRoute } from "./name-route.js";

/** Names the route of each request that hapi 20 and 21 handle. Needs the http instrumentation. */
export function hapiInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "hapi",
    modules: [{ module: "@hapi/hapi", majors: [20, 21], inner: ["./request"], patch: patchRequests }],
  });
}

interface Request {
  readonly raw: { readonly req: object };
  readonly route: { readonly method: string; readonly path: string };
}

function patchRequests(loaded: LoadedModule, guard: Guard): () => void {
  const state = { on: true };
  // It is no export, but loaded by now.
  const { prototype } = requireInner(loaded, "./request") as { prototype: object };
  const restore = replaceMethod<(this: Request, ...args: unknown[]) => unknown>(
    prototype,
    "_lookup",
    (find) =>
      function lookup(this: Request) {
        const result = Reflect.apply(find(), this, arguments);
        if (state.on && guard.on && hasListeners()) {
          try {
            const { method, path } = this.route;
            // Special is what answers where nothing has matched.
            nameRoute(this.raw.req, method === "_special" ? undefined : path);
          } catch (error) {
            guard.failed(error);
          }
        }
        return result;
      },
  );
  return () => {
    state.on = false;
    restore();
  };
}
