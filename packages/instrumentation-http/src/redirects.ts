import type { Context } from "@opentelemetry/api";
import { type HttpClientOperation, limitOf } from "@telltale/core";
import { resolveUrl } from "./url.js";

/** Where `fetch` has been told to go on, in one context, and how often it will have sent then. */
const awaited = new WeakMap<Context, Map<string, number>>();
/** A context in which redirects are followed by nobody. */
const MAX_AWAITED = 16;
const forgotten = limitOf("http.redirects");

/** `fetch` follows redirects by requests that know nothing of each other, but go out in the same context and to where the answer said. */
export function expectRedirect(operation: HttpClientOperation, location: string | undefined): void {
  const url = location === undefined ? undefined : resolveUrl(location, operation.url);
  if (url === undefined) return;
  const urls = awaited.get(operation.context) ?? new Map<string, number>();
  awaited.set(operation.context, urls);
  if (urls.size >= MAX_AWAITED) {
    forgotten.total += urls.size;
    urls.clear();
  }
  const before = operation.attributes?.["http.request.resend_count"];
  urls.set(url, typeof before === "number" ? before + 1 : 1);
}

/** `http.request.resend_count` of a request that goes where the one before was sent on to; else 0. */
export function resendOf({ context, url }: HttpClientOperation): number {
  const urls = awaited.get(context);
  const count = urls?.get(url) ?? 0;
  if (count > 0) urls?.delete(url);
  return count;
}
