import type { Attributes, Exception, SpanStatus } from "@opentelemetry/api";
import { noteFailure } from "./failures.js";

// Reads what an app hands to a span.

/** The app may give anything, also what throws when it is read: without an SDK it would never hear of it. */
export function readStatus(status: SpanStatus | null | undefined): { code?: unknown; message?: unknown } {
  try {
    return { code: status?.code, message: status?.message };
  } catch (error) {
    noteFailure("span", error);
    return {};
  }
}

/** What can be gone through; anything else is an empty list. */
export function listOf<Item>(list: Iterable<Item> | null | undefined): Item[] {
  try {
    return typeof list?.[Symbol.iterator] === "function" ? Array.from(list) : [];
  } catch (error) {
    noteFailure("span", error);
    return [];
  }
}

/** Anything can be thrown, also what throws when it is read. */
export function exceptionAttributes(exception: Exception): Attributes {
  if (typeof exception === "string") return { "exception.message": exception };
  const attributes: Attributes = {};
  try {
    if (exception?.code) attributes["exception.type"] = exception.code.toString();
    else if (exception?.name) attributes["exception.type"] = exception.name;
    if (exception?.message) attributes["exception.message"] = exception.message;
    if (exception?.stack) attributes["exception.stacktrace"] = exception.stack;
  } catch (error) {
    noteFailure("attributes", error);
  }
  return attributes;
}
