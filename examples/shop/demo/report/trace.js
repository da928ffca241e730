import { bad, bold, dim, table, terminalWidth, truncate } from "./terminal.js";
import { formatSeconds } from "./units.js";

const BAR_WIDTH = 32;
const MOST_LINES = 16;

/**
 * A trace as a waterfall, one line per span; spans of one name that follow each other under one parent share a line. Takes
 * spans as they arrived over OTLP.
 */
export function drawWaterfall(spans) {
  const rows = collapse(spans);
  const [from, to] = [smallest(rows.map((row) => row.startNs)), -smallest(rows.map((row) => -row.endNs))];
  const scale = (ns) => Math.round((Number(ns - from) / Number(to - from || 1n)) * BAR_WIDTH);
  const lines = rows.slice(0, MOST_LINES).map(({ name, depth, count, failed, busyNs, startNs, endNs }) => {
    const [start, end] = [Math.min(scale(startNs), BAR_WIDTH - 1), scale(endNs)];
    const label =
      truncate(`${"  ".repeat(depth)}${name}`, terminalWidth() - 56) + (count > 1 ? bold(` × ${count}`) : "");
    const duration = formatSeconds(Number(busyNs) / 1e9);
    return [failed ? bad(label) : label, duration, " ".repeat(start) + "█".repeat(Math.max(end - start, 1))];
  });
  const [, ...body] = table([{ title: "", align: "left" }, { title: "" }, { title: "", align: "left" }], lines);
  const rest = rows.length - MOST_LINES;
  return rest > 0 ? [...body, dim(`  and ${rest} lines more`)] : body;
}

function collapse(spans) {
  const ids = new Set(spans.map((span) => span.spanId));
  const parentOf = (span) => (ids.has(span.parentSpanId) ? span.parentSpanId : undefined);
  const children = Map.groupBy(
    spans.toSorted((a, b) => (a.startNs < b.startNs ? -1 : 1)),
    parentOf,
  );
  const rows = [];
  const visit = (parent, depth) => {
    let last;
    for (const span of children.get(parent) ?? []) {
      const { name, startNs, endNs, spanId } = span;
      const leaf = !children.has(spanId);
      if (last?.name === name && last.leaf && leaf) {
        last.count++;
        last.busyNs += endNs - startNs;
        if (endNs > last.endNs) last.endNs = endNs;
      } else {
        last = { name, depth, leaf, count: 1, busyNs: endNs - startNs, startNs, endNs };
        rows.push(last);
        visit(spanId, depth + 1);
      }
      last.failed ||= span.status.code === "error";
    }
  };
  visit(undefined, 0);
  return rows;
}

function smallest(values) {
  return values.reduce((least, value) => (value < least ? value : least));
}
