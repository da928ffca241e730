/** What drawing needs of a span, as the receiver's have it. */
export interface DrawnSpan {
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: string;
  readonly startNs: bigint;
}

/**
 * A trace as text: a line per span, children indented below their parent, in the order they began.
 */
export function drawTrace(
  spans: readonly DrawnSpan[],
  label: (span: DrawnSpan) => string = ({ name }) => name,
): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const ordered = [...spans].sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0));
  const lines: string[] = [];
  const draw = (parent: string | undefined, depth: number): void => {
    for (const span of ordered) {
      const above = span.parentSpanId !== undefined && ids.has(span.parentSpanId) ? span.parentSpanId : undefined;
      if (above !== parent) continue;
      lines.push(`${"  ".repeat(depth)}${label(span)}`);
      draw(span.spanId, depth + 1);
    }
  };
  draw(undefined, 0);
  return lines.join("\n");
}
