import type { Resource } from "@opentelemetry/resources";
import type { Scope } from "../pipeline.js";
import { type ByteWriter, tagOf, varintWidth } from "./byte-writer.js";

/** Encoded spans of one scope. */
export interface ScopeSpans {
  readonly scope: Scope;
  readonly spans: Uint8Array;
}

/** Writes an `ExportTraceServiceRequest` with one resource. */
export function encodeRequest(writer: ByteWriter, resource: Resource, parts: readonly ScopeSpans[]): void {
  const room = varintWidth(parts.reduce((sum, { spans }) => sum + spans.length, 0));
  const resourceSpans = writer.open(tagOf(1, 2), room);
  const head = writer.open(tagOf(1, 2));
  for (const [name, value] of Object.entries(resource.attributes)) writer.attribute(tagOf(1, 2), name, value);
  writer.close(head);
  for (const { scope, spans } of parts) {
    const roomOfScope = varintWidth(spans.length);
    const scopeSpans = writer.open(tagOf(2, 2), roomOfScope);
    const scopeHead = writer.open(tagOf(1, 2));
    writer.string(tagOf(1, 2), scope.name);
    if (scope.version) writer.string(tagOf(2, 2), scope.version);
    writer.close(scopeHead);
    writer.raw(spans);
    if (scope.schemaUrl) writer.string(tagOf(3, 2), scope.schemaUrl);
    writer.close(scopeSpans, roomOfScope);
  }
  if (resource.schemaUrl) writer.string(tagOf(3, 2), resource.schemaUrl);
  writer.close(resourceSpans, room);
}
