import type { Slices } from "@telltale/core";
import { isMetricName, quote } from "./escaping.js";
import { type Exemplar, lastExemplar, placeExemplars } from "./exemplars.js";
import { type Family, fixed, type Point, showsUnit, sumGrows } from "./families.js";
import { nameInOpenMetrics } from "./openmetrics-names.js";
import type { PageLimit } from "./page-limit.js";
import { formatBound, formatNumber, LONGEST_NUMBER, PageWriter } from "./page-writer.js";

export interface TextOptions {
  /** OpenMetrics 1.0 in place of text 0.0.4. */
  readonly openMetrics: boolean;
  readonly limit: PageLimit;
}

/** Families as text, in chunks that are made when they are asked for, between the app's own work. */
export async function* formatText(
  families: readonly Family[],
  { openMetrics, limit }: TextOptions,
  slices: Slices,
): AsyncGenerator<Buffer> {
  const writer = new PageWriter();
  const describe = openMetrics ? nameInOpenMetrics(families) : nameInText;
  for (const family of families) {
    let left = family.series.size;
    if (writer.size < limit.bytes) {
      const { name, type } = describe(family);
      writeHead(writer, name, type, family, openMetrics);
      const write = createSeriesWriter(writer, family.name, openMetrics, type);
      for (const [labels, point] of family.series) {
        if (slices.over) {
          yield* writer.take(false);
          await slices.rest();
        }
        if (writer.size >= limit.bytes) break;
        write(labels, point);
        left--;
      }
    }
    if (left > 0) limit.cut(family, left);
  }
  if (openMetrics) {
    writer.reserve(END_OF_PAGE.length);
    writer.text(END_OF_PAGE);
  }
  yield* writer.take(true);
}

const END_OF_PAGE = "# EOF\n";

function nameInText({ name, type }: Family): { name: string; type: string } {
  return { name, type: type === "info" ? "gauge" : type };
}

function writeHead(writer: PageWriter, name: string, type: string, { help, unit }: Family, openMetrics: boolean): void {
  const shown = isMetricName(name) ? name : quote(name);
  let text = "";
  if (help !== "") text += `# HELP ${shown} ${openMetrics ? quote(help).slice(1, -1) : escapeHelp(help)}\n`;
  text += `# TYPE ${shown} ${type}\n`;
  if (openMetrics && showsUnit(name, unit)) text += `# UNIT ${shown} ${unit}\n`;
  writer.reserve(Buffer.byteLength(text));
  writer.text(text);
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

const COMMA = Buffer.from(",");
const CLOSING = Buffer.from("} ");
const END = Buffer.from("\n");
/** ` # {trace_id="…",span_id="…"} 1.5 1700000000.123` */
const LONGEST_EXEMPLAR = 90 + 2 * LONGEST_NUMBER;

/** How lines of one name begin: with labels, and without. */
class Beginning {
  readonly labelled: Buffer;
  readonly bare: Buffer;

  constructor(name: string) {
    const plain = isMetricName(name);
    this.labelled = Buffer.from(plain ? `${name}{` : `{${quote(name)},`);
    this.bare = Buffer.from(plain ? `${name} ` : `{${quote(name)}} `);
  }
}

function createSeriesWriter(
  writer: PageWriter,
  name: string,
  openMetrics: boolean,
  type: string,
): (labels: string, point: Point) => void {
  const plain = new Beginning(name);
  const bucket = new Beginning(`${name}_bucket`);
  const sum = new Beginning(`${name}_sum`);
  const count = new Beginning(`${name}_count`);
  const counts = openMetrics && type === "counter";
  const room = plain.labelled.length + LONGEST_NUMBER + LONGEST_EXEMPLAR + 4;
  let known: readonly number[] | undefined;
  let bounds: readonly (Buffer | undefined)[] = [];
  let grows = true;

  function writeHistogram(labels: string, point: Point, value: Exclude<Point["value"], number>): void {
    const histogram = fixed(value);
    const { boundaries, counts: held } = histogram.buckets;
    // The series of a metric have one array of boundaries, or one each where they are not ours.
    if (boundaries !== known) {
      known = boundaries;
      bounds = boundaries.map(renderBound);
      grows = sumGrows(boundaries);
    }
    const exemplars = openMetrics ? placeExemplars(point.exemplars, boundaries) : undefined;
    const line = bucket.labelled.length + 3 * labels.length + 2 * LONGEST_NUMBER + 8;
    writer.reserve((boundaries.length + 3) * (line + (exemplars === undefined ? 0 : LONGEST_EXEMPLAR)));
    const start = writer.position;
    writer.bytes(bucket.labelled);
    const startOfLabels = writer.position;
    writer.text(labels);
    const endOfLabels = writer.position;
    if (labels !== "") writer.bytes(COMMA);
    const end = writer.position;
    let isFirst = true;
    let below = 0;
    for (let n = 0; n <= bounds.length; n++) {
      const bound = n === bounds.length ? INFINITE : bounds[n];
      below = n === bounds.length ? histogram.count : below + (held[n] ?? 0);
      if (bound === undefined) continue;
      if (!isFirst) writer.again(start, end);
      isFirst = false;
      writer.bytes(bound);
      writer.number(below);
      const exemplar = exemplars?.[n];
      if (exemplar !== undefined) writeExemplar(exemplar);
      writer.bytes(END);
    }
    const added = histogram.sum ?? Number.NaN;
    const shows = grows && added >= 0;
    if (shows) writeLine(sum, startOfLabels, endOfLabels, added);
    // OpenMetrics has a count only beside a sum; it is the infinite bucket's.
    if (shows || !openMetrics) writeLine(count, startOfLabels, endOfLabels, histogram.count);
  }

  /** With labels that are on the page already. */
  function writeLine(head: Beginning, startOfLabels: number, endOfLabels: number, value: number): void {
    if (startOfLabels === endOfLabels) {
      writer.bytes(head.bare);
    } else {
      writer.bytes(head.labelled);
      writer.again(startOfLabels, endOfLabels);
      writer.bytes(CLOSING);
    }
    writer.number(value);
    writer.bytes(END);
  }

  function writeNumber(labels: string, value: number, exemplar: Exemplar | undefined): void {
    writer.reserve(room + 3 * labels.length);
    if (labels === "") {
      writer.bytes(plain.bare);
    } else {
      writer.bytes(plain.labelled);
      writer.text(labels);
      writer.bytes(CLOSING);
    }
    writer.number(value);
    if (exemplar !== undefined) writeExemplar(exemplar);
    writer.bytes(END);
  }

  function writeExemplar({ value, timestamp, traceId, spanId }: Exemplar): void {
    const [seconds, nanos] = timestamp;
    const at = `${seconds}.${String(Math.floor(nanos / 1e6)).padStart(3, "0")}`;
    writer.text(` # {trace_id="${traceId}",span_id="${spanId}"} ${formatNumber(value)} ${at}`);
  }

  return (labels, point) => {
    const { value } = point;
    if (typeof value !== "number") writeHistogram(labels, point, value);
    else writeNumber(labels, value, counts ? lastExemplar(point.exemplars) : undefined);
  };
}

const INFINITE = Buffer.from('le="+Inf"} ');

/** Undefined for a bound that comes again, which is one bucket, and for the infinite one, which every histogram ends with. */
function renderBound(bound: number, n: number, all: readonly number[]): Buffer | undefined {
  return bound === all[n + 1] || bound === Infinity ? undefined : Buffer.from(`le="${formatBound(bound)}"} `);
}
