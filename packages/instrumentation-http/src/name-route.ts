import { joinPattern } from "./route-pattern.js";
import { servedOf } from "./served.js";

/** Names the route of a request by the pattern that its framework has matched, which knows all that it is mounted under; undefined: none. */
export function nameRoute(message: object, pattern: string | RegExp | undefined): void {
  const request = servedOf(message)?.request;
  if (request !== undefined) request.route = pattern === undefined ? undefined : joinPattern("", pattern) || "/";
}
