import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Guard } from "@telltale/core";

/**
 * Hears a channel of Node's until the result is called. What a subscriber throws is no error of the caller's, who could catch it, but an
 * uncaught one: nothing leaves here, also where the stack is too full to tell of a failure.
 */
export function hearChannel<Event>(channel: string, guard: Guard, hear: (event: Event) => void): () => void {
  function listener(event: unknown): void {
    try {
      hear(event as Event);
    } catch (error) {
      try {
        guard.failed(error);
      } catch {
        // The stack is full.
      }
    }
  }
  subscribe(channel, listener);
  return () => unsubscribe(channel, listener);
}
