import { type CreateRouter, factsOf, type Layer, type Message, patternOf, type Place, type Router } from "./layer.js";
import { setRoute } from "./name-route.js";
import { servedOf } from "./served.js";

// How a request goes through the routers of Express. What Express itself keeps of the way (`req.baseUrl`) is the path of this
// request, not the pattern, so each router that the request enters is noted here, with the patterns that led to it.

/** A router with the request in it. */
export class Routing implements Place {
  readonly router: Router;
  readonly baseUrl: string;
  /** What the routers above have taken off, as patterns: empty at the root; undefined when a layer on the way cannot be told. */
  readonly prefix: string | undefined;
  /** The prefix of a router that the running layer may enter. */
  inner: string | undefined;

  constructor(router: Router, baseUrl: string, prefix: string | undefined) {
    this.router = router;
    this.baseUrl = baseUrl;
    this.prefix = prefix;
    this.inner = prefix;
  }
}

/** A request enters a router. Returns the callback to give to it, which takes the request out again. */
export function enterRouter(router: Router, message: Message, callback: unknown): unknown {
  const here = servedOf(message);
  const request = here?.request;
  if (request === undefined || here === undefined || typeof callback !== "function") return callback;
  const { routing: outer } = here;
  const routeBefore = request.route;
  const prefix = outer === undefined ? "" : outer.inner;
  here.routing = new Routing(router, message.baseUrl ?? "", prefix);
  return function done(this: unknown, error: unknown): unknown {
    here.routing = outer;
    // Nothing in the router has answered. With an error the route stays: it is the one that failed.
    if (!error) setRoute(request, routeBefore);
    return Reflect.apply(callback, this, arguments);
  };
}

/**
 * A layer is about to handle a request. Its pattern is the route until another one takes over: so a handler that `use` has
 * mounted on a path, and that answers, has a route too.
 */
export function enterLayer(layer: Layer, message: Message, createRouter: CreateRouter): void {
  const here = servedOf(message);
  const request = here?.request;
  const routing = here?.routing;
  if (request === undefined || routing === undefined) return;
  const facts = factsOf(layer);
  if (facts.isInner) return;
  const { route } = layer;
  const { prefix } = routing;
  const pattern = prefix === undefined ? undefined : patternOf(layer, facts, prefix, routing, message, createRouter);
  routing.inner = route === undefined ? pattern : prefix;
  setRoute(request, pattern === "" && route !== undefined ? "/" : pattern || undefined);
}
