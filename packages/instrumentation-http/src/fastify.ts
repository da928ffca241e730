import {
  defineInstrumentation,
  type Guard,
  hasListeners,
  type Instrumentation,
  type LoadedModule,
} from "@telltale/core";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { nameRoute } from "./name-route.js";

/** Names the route of each request that Fastify 4 and 5 handle, NestJS's adapter for it too. Needs the http instrumentation. */
export function fastifyInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "fastify",
    modules: [{ module: "fastify", majors: [4, 5], patch: hearFastify }],
  });
}

interface Fastify {
  readonly version: string;
  addHook(name: "onRequest", hook: (request: Request, reply: unknown, done: () => void) => void): unknown;
}

interface Request {
  readonly raw: object;
  readonly routeOptions: { readonly url?: string };
  /** Its route. */
  readonly [context: symbol]: { readonly config?: { readonly url?: string } } | undefined;
}

/** Several copies of one version publish on the same channel. */
const hooked = new WeakSet<Fastify>();
/** A hook stays in its app; it notes nothing while there is none. */
let active: Guard | undefined;

/**
 * Fastify publishes each app that is made. The first of its hooks is ours: from there on the route is known, also where a later one
 * refuses the request.
 */
function hearFastify({ version }: LoadedModule, guard: Guard): () => void {
  active = guard;
  const hear = (message: unknown): void => {
    const { fastify } = message as { fastify: Fastify };
    if (!guard.on || fastify.version !== version || hooked.has(fastify)) return;
    try {
      hooked.add(fastify);
      let context: symbol | undefined;
      fastify.addHook("onRequest", function noteRoute(request, _reply, done) {
        if (active?.on === true && hasListeners()) {
          try {
            context ??= contextOf(request);
            const url = context === undefined ? request.routeOptions.url : request[context]?.config?.url;
            // Undefined where nothing has matched.
            nameRoute(request.raw, url);
          } catch (error) {
            active.failed(error);
          }
        }
        done();
      });
    } catch (error) {
      guard.failed(error);
    }
  };
  subscribe("fastify.initialization", hear);
  return () => {
    active = undefined;
    unsubscribe("fastify.initialization", hear);
  };
}

/** Where Fastify itself keeps what `routeOptions` is made of anew each time, frozen: 5 µs in Fastify 4. */
function contextOf(request: Request): symbol | undefined {
  return Object.getOwnPropertySymbols(request).find(({ description }) => description === "fastify.context");
}
