import type { Request } from "@telltale/core";
import { joinPattern } from "./route-pattern.js";
import { servedOf } from "./served.js";

/** Names the route of a request by the pattern that its framework has matched, which knows all that it is mounted under; undefined: none. */
export function nameRoute(message: object, pattern: string | RegExp | undefined): void {
  const request = servedOf(message)?.request;
  if (request !== undefined) setRoute(request, pattern === undefined ? undefined : joinPattern("", pattern) || "/");
}

/** What runs on when the response is over has no part in it; and its span may not be encoded yet. */
export function setRoute(request: Request, route: string | undefined): void {
  if (request.operation.endMs === 0) request.route = route;
}
