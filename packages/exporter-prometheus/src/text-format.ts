import type { Histogram } from "@opentelemetry/sdk-metrics";
import type { Slices } from "@telltale/core";
import type { Family } from "./families.js";
import { formatNumber, LONGEST_NUMBER, PageWriter } from "./page-writer.js";

/** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const TEXT_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Families as text, in chunks that are made when they are asked for, between the app's own work. */
export async function* formatText(families: Iterable<Family>, slices: Slices): AsyncGenerator<Buffer> {
  const writer = new PageWriter();
  for (const family of families) {
    writeHead(writer, family);
    const write = createSeriesWriter(writer, family.name);
    for (const [labels, value] of family.series) {
      if (slices.over) {
        yield* writer.take(false);
        await slices.rest();
      }
      write(labels, value);
    }
  }
  yield* writer.take(true);
}

function writeHead(writer: PageWriter, { name, type, help }: Family): void {
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  const text = `${help === "" ? "" : `# HELP ${name} ${escaped}\n`}# TYPE ${name} ${type}\n`;
  writer.reserve(Buffer.byteLength(text));
  writer.text(text);
}

const COMMA = Buffer.from(",");
const SPACE = Buffer.from(" ");
const OPENING = Buffer.from("{");
const CLOSING = Buffer.from("} ");
const END = Buffer.from("\n");

function createSeriesWriter(writer: PageWriter, name: string): (labels: string, value: number | Histogram) => void {
  const plain = Buffer.from(name);
  const bucket = Buffer.from(`${name}_bucket{`);
  const sum = Buffer.from(`${name}_sum`);
  const count = Buffer.from(`${name}_count`);
  let known: readonly number[] | undefined;
  let bounds: readonly (Buffer | undefined)[] = [];

  function writeHistogram(labels: string, { buckets, count: held, sum: added }: Histogram): void {
    const { boundaries, counts } = buckets;
    // The series of a metric have one array of boundaries, or one each where they are not ours.
    if (boundaries !== known) {
      known = boundaries;
      bounds = boundaries.map(renderBound);
    }
    const line = bucket.length + Buffer.byteLength(labels) + 2 * LONGEST_NUMBER + 8;
    writer.reserve((boundaries.length + 3) * line);
    const start = writer.position;
    writer.bytes(bucket);
    const startOfLabels = writer.position;
    writer.text(labels);
    const endOfLabels = writer.position;
    if (labels !== "") writer.bytes(COMMA);
    const end = writer.position;
    let isFirst = true;
    let below = 0;
    for (let n = 0; n <= bounds.length; n++) {
      const bound = n === bounds.length ? INFINITE : bounds[n];
      below = n === bounds.length ? held : below + (counts[n] ?? 0);
      if (bound === undefined) continue;
      if (!isFirst) writer.again(start, end);
      isFirst = false;
      writer.bytes(bound);
      writer.number(below);
      writer.bytes(END);
    }
    if (added !== undefined) writeLine(sum, startOfLabels, endOfLabels, added);
    writeLine(count, startOfLabels, endOfLabels, held);
  }

  /** With labels that are on the page already. */
  function writeLine(head: Buffer, startOfLabels: number, endOfLabels: number, value: number): void {
    writer.bytes(head);
    if (startOfLabels === endOfLabels) {
      writer.bytes(SPACE);
    } else {
      writer.bytes(OPENING);
      writer.again(startOfLabels, endOfLabels);
      writer.bytes(CLOSING);
    }
    writer.number(value);
    writer.bytes(END);
  }

  function writeNumber(labels: string, value: number): void {
    writer.reserve(plain.length + 3 * labels.length + LONGEST_NUMBER + 4);
    writer.bytes(plain);
    if (labels === "") {
      writer.bytes(SPACE);
    } else {
      writer.bytes(OPENING);
      writer.text(labels);
      writer.bytes(CLOSING);
    }
    writer.number(value);
    writer.bytes(END);
  }

  return (labels, value) => {
    if (typeof value === "number") writeNumber(labels, value);
    else writeHistogram(labels, value);
  };
}

const INFINITE = Buffer.from('le="+Inf"} ');

/** Undefined for a bound that comes again, which is one bucket, and for the infinite one, which every histogram ends with. */
function renderBound(bound: number, n: number, all: readonly number[]): Buffer | undefined {
  return bound === all[n + 1] || bound === Infinity ? undefined : Buffer.from(`le="${formatNumber(bound)}"} `);
}
