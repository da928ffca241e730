import type { CommandFacts } from "./memcached-commands.js";

/** What a server or client said, as far as it may be recorded. */
export class MemcachedFailure extends Error {
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    // What the server answered the client may quote, and that may be a value.
    super(message.replace(/".*"/s, "…"));
    this.code = code;
  }
}

/** What a call of memcached failed with, if it did. That something was not stored, as what was asked for was not so, is an answer. */
export function failureOf({ name }: CommandFacts, error: unknown, data: unknown): unknown {
  const first: unknown = Array.isArray(error) ? error[0] : error;
  if (first === undefined || first === null || first === false) {
    // The client says of it only that the value is not there.
    return name === "SET" && data === false ? new MemcachedFailure("the server refused it", "SERVER_ERROR") : undefined;
  }
  if ((first as { notStored?: unknown }).notStored === true) return undefined;
  if (typeof first === "string") return new MemcachedFailure(first);
  return first instanceof Error && first.message.includes('"') ? new MemcachedFailure(first.message) : first;
}
