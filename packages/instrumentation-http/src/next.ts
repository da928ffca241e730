import {
  defineInstrumentation,
  type Guard,
  hasListeners,
  type Instrumentation,
  type LoadedModule,
  replaceMethod,
  undoAll,
} from "@telltale/core";
import { nameRoute } from "./name-route.js";

/**
 * Names the route of each request that Next.js 14 to 16 render or hand to a route handler, where it runs as a server of Node. Needs the
 * http instrumentation. The spans that Next.js makes are its own.
 */
export function nextInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "next",
    modules: [{ module: "next", majors: [14, 16], others: [NODE_SERVER], patch: patchServer }],
  });
}

const NODE_SERVER = "dist/server/next-server.js";

interface Server {
  readonly nextConfig?: { readonly basePath?: string };
}

interface Incoming {
  /** The message of Node. */
  readonly originalRequest?: object;
}

/** What was found is handed on to one of these, with its pattern: `/shop/[slug]`. */
const METHODS: Readonly<Record<string, (args: readonly unknown[]) => { req: Incoming; pathname: string }>> = {
  renderToResponseWithComponents: ([rendering]) => rendering as { req: Incoming; pathname: string },
  handleApiRequest([req, , , match]) {
    const { definition } = match as { definition: { pathname: string } };
    return { req: req as Incoming, pathname: definition.pathname };
  },
};

function patchServer({ exports, file }: LoadedModule, guard: Guard): () => void {
  // The main module has nothing to patch, and may load the server later.
  if (!file.replaceAll("\\", "/").endsWith(NODE_SERVER)) return () => {};
  const { prototype } = (exports as { default: { prototype: object } }).default;
  const state = { on: true };
  const undo = Object.entries(METHODS).map(([name, found]) =>
    replaceMethod<(this: Server, ...args: unknown[]) => unknown>(
      prototype,
      name,
      (find) =>
        function handle(this: Server, ...args) {
          if (state.on && guard.on && hasListeners()) {
            try {
              nameFound(found(args), this.nextConfig?.basePath ?? "");
            } catch (error) {
              guard.failed(error);
            }
          }
          return Reflect.apply(find(), this, args);
        },
    ),
  );
  return () => {
    state.on = false;
    undoAll(undo);
  };
}

/** Pages for what is not found, or fails, are no routes; what fails keeps its own. */
function nameFound({ req, pathname }: { req: Incoming; pathname: string }, basePath: string): void {
  const message = req.originalRequest;
  if (message === undefined || /^\/(?:_not-found|_error|404|500)\b/.test(pathname)) return;
  nameRoute(message, basePath + pathname);
}
