import { type Context, context, createContextKey } from "@opentelemetry/api";

const key = createContextKey("telltale.cache.outer");
/** While nobody has made one, a lookup costs one comparison more. */
let isUsed = false;

/**
 * A lookup in a cache that may hand it on to another one: Keyv over Redis, over Memcached, over another Keyv. What lies inside is counted, as
 * there it is known what was found and where; the outer one only where nobody inside has counted anything.
 */
export class OuterLookup {
  isCounted = false;
  readonly context: Context;
  readonly outer: OuterLookup | undefined;

  constructor(parent: Context) {
    isUsed = true;
    this.outer = parent.getValue(key) as OuterLookup | undefined;
    this.context = parent.setValue(key, this);
  }
}

/** A lookup is counted that was made in this context: those around it are not to be. */
export function countedInside(from?: Context): void {
  if (!isUsed) return;
  let outer = (from ?? context.active()).getValue(key) as OuterLookup | undefined;
  for (; outer !== undefined; outer = outer.outer) outer.isCounted = true;
}
