import { context } from "@opentelemetry/api";
import { activeRequest, cacheNameOf, type Guard, isSuppressed, replaceMethod, reportLookup } from "@telltale/core";
import { type Argument, factsOf } from "./commands.js";
import { found, isLookup } from "./lookup.js";
import type { CommandArguments, CommandParser } from "./node-redis.js";

type Handle = (
  this: object,
  client: object,
  parser: CommandParser,
  send: () => unknown,
  ...others: unknown[]
) => Promise<unknown>;

/**
 * The client-side cache. A lookup that it answers by itself never reaches the server: it is a lookup of the same cache, found or not by the
 * same rules, but without `db.system.name`, and no operation. What it does not know is asked of the server and counted there, so that each
 * key that the app asks for is counted once.
 */
export function patchClientSideCache(
  { BasicClientSideCache }: { readonly BasicClientSideCache?: { readonly prototype: object } },
  hears: () => boolean,
  guard: Guard,
): () => void {
  if (BasicClientSideCache === undefined) return () => {};
  return replaceMethod<Handle>(BasicClientSideCache.prototype, "handleCache", (find) => {
    const original = find();
    return function handleCache(this: object, client, parser, send, ...others) {
      const caller = context.active();
      if (!hears() || isSuppressed(caller)) return original.call(this, client, parser, send, ...others);
      const request = activeRequest(caller);
      let isSent = false;
      const noted = (): unknown => {
        isSent = true;
        return send();
      };
      const result = original.call(this, client, parser, noted, ...others);
      // Not the promise that the app is given: the client awaits this one.
      result.then(
        (reply) => {
          if (isSent || !guard.on) return;
          try {
            report(parser.redisArgs, reply, request);
          } catch (error) {
            guard.failed(error);
          }
        },
        () => {},
      );
      return result;
    };
  });
}

function report(command: CommandArguments, reply: unknown, request: ReturnType<typeof activeRequest>): void {
  const [name, ...args] = command;
  const { lookup, keyAt } = factsOf(String(name));
  if (lookup === undefined || !isLookup(lookup, args) || found(lookup, reply) < 0) return;
  const tell = (key: Argument, isFound: boolean): void => {
    const text = key.toString();
    reportLookup(cacheNameOf(text), isFound ? "hit" : "miss", 1, undefined, request, text);
  };
  if (lookup === "keys") {
    for (const [n, value] of (reply as readonly unknown[]).entries()) {
      tell(args[n] ?? "", value !== null && value !== undefined);
    }
    return;
  }
  const key = args[keyAt] ?? "";
  const fields = lookup === "fields" ? (reply as readonly unknown[]) : [found(lookup, reply) > 0 ? reply : undefined];
  for (const value of fields) tell(key, value !== null && value !== undefined);
}
