import type { EngineSpan } from "./span.js";

/** A span with its operation (measured: `tail-keep-memory.test.ts`), and what each attribute, event or link takes besides its texts. */
const SPAN_BYTES = 512;
/** A query without one. */
export const OPERATION_BYTES = 320;
const PART_BYTES = 48;

/** About what a span that has ended takes of the heap. */
export function weigh({ name, bounded, extras, operation, statusMessage }: EngineSpan): number {
  let bytes = SPAN_BYTES + name.length;
  if (statusMessage !== undefined) bytes += statusMessage.length;
  if (operation?.kind === "http.client") bytes += operation.url.length;
  if (bounded !== undefined) bytes += weightOf(bounded.values);
  if (extras !== undefined) {
    for (const event of extras.events) bytes += PART_BYTES + weightOf(event.name) + weightOf(event.attributes);
    for (const { attributes } of extras.links) bytes += PART_BYTES + weightOf(attributes);
  }
  return bytes;
}

/** Values were copied when they were set: there are no cycles and no getters of the app's. */
function weightOf(value: unknown): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 0;
  let bytes = 0;
  for (const key in value) bytes += PART_BYTES + weightOf((value as Record<string, unknown>)[key]);
  return bytes;
}
