import { Attached } from "@telltale/core";
import { joinPattern, type Path, patternsOf } from "./route-pattern.js";
import { splitTarget } from "./url.js";

/** What is used of a router: equal in Express 4 (`lib/router`) and in router 2, which is Express 5's. */
export interface Router {
  readonly stack: readonly Layer[];
  readonly caseSensitive?: boolean;
  readonly strict?: boolean;
  use(...args: readonly unknown[]): unknown;
  route(path: unknown): unknown;
}

export type CreateRouter = (options?: {
  readonly caseSensitive: boolean | undefined;
  readonly strict: boolean | undefined;
}) => Router;

/** One step of a router: a route, or a handler that `use` has put there. */
export interface Layer {
  readonly route?: { readonly path: Path };
  /** Set on the layers inside of a route, to undefined for `all`. */
  readonly method?: string;
  /** From router 2.3. */
  readonly rawPath?: Path;
  /** True for `use` without a path: of router 2, and of Express 4. */
  readonly slash?: boolean;
  readonly regexp?: { readonly fast_slash?: boolean };
  match(path: string): unknown;
}

/** What is used of a request. */
export interface Message {
  readonly url?: string;
  readonly baseUrl?: string;
}

/** Where a request is. */
export interface Place {
  readonly router: Router;
  /** What the routers above have taken off the path. */
  readonly baseUrl: string;
}

/** What is known of a layer. */
export interface LayerFacts {
  /** It stands inside of a route, whose handlers are layers as well. */
  readonly isInner: boolean;
  /** Undefined when the layer is older than the instrumentation and does not say. */
  readonly patterns: readonly (string | RegExp)[] | undefined;
  /** A layer for each of several patterns, to find out which one matched; made when first needed. */
  single: readonly Layer[] | undefined;
  /** The last answer: nearly every layer has one prefix. */
  lastPrefix: string | undefined;
  lastPattern: string | RegExp | undefined;
  lastJoined: string;
}

class KnownLayer extends Attached {
  #facts: LayerFacts;

  constructor(layer: object, facts: LayerFacts) {
    super(layer);
    this.#facts = facts;
  }

  static get(layer: object): LayerFacts | undefined {
    return #facts in layer ? layer.#facts : undefined;
  }

  static set(layer: object, facts: LayerFacts): void {
    if (#facts in layer) layer.#facts = facts;
    // oxlint-disable-next-line no-new
    else new KnownLayer(layer, facts);
  }
}

function noteLayer(layer: Layer, path: Path | undefined): LayerFacts {
  const patterns = path === undefined ? undefined : patternsOf(path);
  const isInner = layer.route === undefined && Object.hasOwn(layer, "method");
  const known = { isInner, patterns, single: undefined, lastPrefix: undefined, lastPattern: undefined, lastJoined: "" };
  KnownLayer.set(layer, known);
  return known;
}

/** Takes down the path of the layers that `use` has added to a router that had `before` of them. */
export function noteMounted({ stack }: Router, before: number, first: unknown): void {
  // As `use` has it: functions and lists of them are handlers, anything else in the first place is the path.
  let innermost = first;
  while (Array.isArray(innermost) && innermost.length > 0) innermost = innermost[0] as unknown;
  const path = typeof innermost === "function" ? "/" : (first as Path);
  for (const layer of stack.slice(before)) noteLayer(layer, path);
}

export function factsOf(layer: Layer): LayerFacts {
  return KnownLayer.get(layer) ?? noteLayer(layer, layer.route?.path ?? layer.rawPath ?? pathOfAny(layer));
}

/** The pattern of a layer that has matched the path of a message, with the prefix of its router; undefined when it cannot be told. */
export function patternOf(
  layer: Layer,
  known: LayerFacts,
  prefix: string,
  { router, baseUrl }: Place,
  message: Message,
  createRouter: CreateRouter,
): string | undefined {
  if (known.patterns === undefined) return undefined;
  let [pattern = "/"] = known.patterns;
  if (known.patterns.length > 1) {
    known.single ??= known.patterns.map((one) => createSingle(layer, one, router, createRouter));
    const path = matchedPath(layer, message, baseUrl);
    pattern = known.patterns[known.single.findIndex((single) => single.match(path))] ?? pattern;
  }
  if (known.lastPrefix !== prefix || known.lastPattern !== pattern) {
    known.lastPrefix = prefix;
    known.lastPattern = pattern;
    known.lastJoined = joinPattern(prefix, pattern);
  }
  return known.lastJoined;
}

/** A mounted layer runs with its part already taken off the path, a route does not. */
function matchedPath({ route }: Layer, message: Message, baseUrl: string): string {
  return route === undefined
    ? (message.baseUrl ?? "").slice(baseUrl.length) || "/"
    : splitTarget(message.url ?? "/").path;
}

function pathOfAny(layer: Layer): Path | undefined {
  return layer.slash === true || layer.regexp?.fast_slash === true ? "/" : undefined;
}

/** A layer with one of several patterns, matching as the original does. */
function createSingle(
  layer: Layer,
  pattern: string | RegExp,
  { caseSensitive, strict }: Router,
  createRouter: CreateRouter,
): Layer {
  const alone = createRouter({ caseSensitive, strict });
  if (layer.route === undefined) alone.use(pattern, () => {});
  else alone.route(pattern);
  const [single] = alone.stack;
  if (single === undefined) throw new Error("expected a router to keep the layer that it was given");
  return single;
}
