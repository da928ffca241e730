/** Spans of a Sentry envelope: lines of JSON, a header, then two lines per item. A transaction is itself a span. */
export function countSentrySpans(body: Uint8Array): number {
  const lines = new TextDecoder().decode(body).split("\n");
  let spans = 0;
  for (let i = 1; i + 1 < lines.length; i += 2) {
    const { type } = JSON.parse(lines[i] ?? "") as { type?: string };
    if (type !== "transaction" && type !== "span") continue;
    const item = JSON.parse(lines[i + 1] ?? "") as { spans?: unknown[]; items?: unknown[] };
    spans += type === "transaction" ? 1 + (item.spans?.length ?? 0) : (item.items?.length ?? 1);
  }
  return spans;
}
