import assert from "node:assert/strict";

// A parser of OpenMetrics text 1.0 that takes nothing the specification forbids, and of the UTF-8 names that Prometheus 3 adds:
// https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md

export interface Sample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  readonly exemplar?: {
    readonly labels: ReadonlyMap<string, string>;
    readonly value: number;
    readonly timestamp: number;
  };
}

export interface ParsedFamily {
  readonly name: string;
  type?: string;
  unit?: string;
  help?: string;
  readonly samples: Sample[];
}

/** Suffixes of the names of samples; the last one is the exporter's to add or not. */
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ["_total", "_created"],
  gauge: [""],
  unknown: [""],
  info: ["_info"],
  histogram: ["_bucket", "_sum", "_count", "_created"],
};

/** The families of a page; throws where it is not valid. */
export function parseOpenMetrics(page: string): ParsedFamily[] {
  assert(page.endsWith("# EOF\n"), "the page has no end");
  const lines = page.split("\n").slice(0, -2);
  const families = new Map<string, ParsedFamily>();
  let current: ParsedFamily | undefined;
  for (const line of lines) {
    assert.notEqual(line, "# EOF", "the page goes on after its end");
    if (line.startsWith("#")) {
      const { kind, name, text } = parseMetadata(line);
      if (current?.name !== name) {
        assert(!families.has(name), `${name} comes twice`);
        families.set(name, (current = { name, samples: [] }));
      }
      assert.equal(current.samples.length, 0, `${line}: after samples`);
      assert.equal(current[kind], undefined, `${line}: twice`);
      current[kind] = text;
    } else {
      const sample = parseSample(line);
      assert(current?.type !== undefined, `${line}: without a type`);
      const suffix = SUFFIXES[current.type]?.find((one) => sample.name === current?.name + one);
      assert.notEqual(suffix, undefined, `${line}: not of ${current.name}, ${current.type}`);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) checkFamily(family);
  const names = new Set<string>();
  for (const { name, type = "" } of families.values()) {
    for (const taken of new Set([name, ...(SUFFIXES[type] ?? []).map((suffix) => name + suffix)])) {
      assert(!names.has(taken), `${taken} is of two families`);
      names.add(taken);
    }
  }
  return [...families.values()];
}

function parseMetadata(line: string) {
  const [, kind, shown = "", text = ""] =
    /^# (HELP|TYPE|UNIT) ((?:[a-zA-Z_:][a-zA-Z0-9_:]*)|"(?:[^"\\]|\\[\\n"])*") (.*)$/s.exec(line) ?? [];
  assert(kind !== undefined, `${line}: no metadata`);
  const name = shown.startsWith('"') ? unescape(shown.slice(1, -1)) : shown;
  if (kind === "HELP") return { kind: "help", name, text: unescape(text) } as const;
  if (kind === "UNIT") return { kind: "unit", name, text } as const;
  assert(text in SUFFIXES, line);
  return { kind: "type", name, text } as const;
}

function checkFamily({ name, type, unit, samples }: ParsedFamily): void {
  if (unit !== undefined) {
    assert(name.endsWith(`_${unit}`) && /^[a-zA-Z0-9_]+$/.test(unit), `${name}: unit ${unit}`);
    assert.notEqual(type, "info", `${name}: a unit of an info`);
  }
  const points = new Map<string, Sample[]>();
  let before: string | undefined;
  for (const sample of samples) {
    assert.equal(sample.labels.has("le"), sample.name.endsWith("_bucket") && type === "histogram", `${name}: le`);
    const key = keyOf(sample.labels);
    if (key !== before) assert(!points.has(key), `${name}: ${key} comes twice`);
    points.set(key, [...(points.get(key) ?? []), sample]);
    before = key;
    if (sample.exemplar !== undefined) {
      assert(/_total$|_bucket$/.test(sample.name) && /counter|histogram/.test(type ?? ""), `${name}: exemplar`);
    }
  }
  for (const point of points.values()) {
    if (type === "histogram") checkHistogram(point);
    else assert.equal(point.length, 1, `${name}: a series comes twice`);
    if (type === "counter")
      assert(
        point.every(({ value }) => value >= 0),
        `${name}: a total below zero`,
      );
    if (type === "info")
      assert(
        point.every(({ value }) => value === 1),
        `${name}: an info is 1`,
      );
  }
}

function checkHistogram(point: Sample[]): void {
  const buckets = point.filter(({ name }) => name.endsWith("_bucket"));
  const name = buckets[0]?.name ?? "a histogram";
  const bounds = buckets.map(({ labels }) => labels.get("le") ?? "");
  assert.equal(bounds.at(-1), "+Inf", `${name}: no infinite bucket`);
  for (const bound of bounds) assert.match(bound, /^[-+]Inf$|^-?\d(\d*\.\d+|(\.\d+)?e[-+]\d\d+)$/, `${name}: ${bound}`);
  const limits = bounds.map(parseNumber);
  for (const [n, { value, exemplar }] of buckets.entries()) {
    assert(value >= (buckets[n - 1]?.value ?? 0), `${name}: counts fall`);
    assert(n === 0 || (limits[n] ?? 0) > (limits[n - 1] ?? 0), `${name}: bounds fall`);
    if (exemplar === undefined) continue;
    assert(exemplar.value <= (limits[n] ?? 0), `${name}: an exemplar above its bucket`);
    assert(n === 0 || exemplar.value > (limits[n - 1] ?? 0), `${name}: an exemplar below its bucket`);
  }
  const [sum, ...sums] = point.filter(({ name }) => name.endsWith("_sum"));
  const [count, ...counts] = point.filter(({ name }) => name.endsWith("_count"));
  assert.equal(sums.length + counts.length, 0, `${name}: a sum or a count comes twice`);
  assert.equal(sum === undefined, count === undefined, `${name}: a sum without a count, or a count without a sum`);
  if (sum !== undefined) {
    assert(sum.value >= 0 && (limits[0] ?? 0) >= 0, `${name}: a sum that may fall`);
    assert.equal(count?.value, buckets.at(-1)?.value, `${name}: count`);
  }
}

function keyOf(labels: ReadonlyMap<string, string>): string {
  return JSON.stringify([...labels].filter(([name]) => name !== "le").sort());
}

function parseSample(line: string): Sample {
  const cursor = { line, at: 0 };
  let name = take(cursor, /[a-zA-Z_:][a-zA-Z0-9_:]*/y);
  let labels = new Map<string, string>();
  if (line[cursor.at] === "{") {
    const inBraces = parseLabels(cursor, name === undefined);
    labels = inBraces.labels;
    name ??= inBraces.name;
  }
  assert(name !== undefined && name !== "", `${line}: no name`);
  const value = parseNumber(take(cursor, / [^ ]+/y)?.slice(1));
  if (cursor.at === line.length) return { name, labels, value };
  assert.equal(take(cursor, / # /y), " # ", `${line}: what follows the value`);
  const exemplar = parseLabels(cursor, false);
  const runes = [...exemplar.labels].flat().reduce((sum, text) => sum + Array.from(text).length, 0);
  assert(runes <= 128, `${line}: the labels of the exemplar are too long`);
  const [, shown, timestamp] = /^ ([^ ]+) (\d+(?:\.\d+)?)$/.exec(line.slice(cursor.at)) ?? [];
  return {
    name,
    labels,
    value,
    exemplar: { labels: exemplar.labels, value: parseNumber(shown), timestamp: Number(timestamp) },
  };
}

interface Cursor {
  readonly line: string;
  at: number;
}

function take(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.line)?.[0];
  cursor.at += found?.length ?? 0;
  return found;
}

/** What is in braces: labels, and first the name of the metric in quotes where it does not stand before them. */
function parseLabels(cursor: Cursor, namesMetric: boolean): { name?: string; labels: Map<string, string> } {
  const labels = new Map<string, string>();
  let name: string | undefined;
  take(cursor, /\{/y);
  for (let first = true; cursor.line[cursor.at] !== "}"; first = false) {
    if (!first) assert.equal(take(cursor, /,/y), ",", `${cursor.line}: at ${cursor.at}`);
    const shown = take(cursor, /[a-zA-Z_][a-zA-Z0-9_]*|"(?:[^"\\\n]|\\[\\n"])*"/y);
    assert(shown !== undefined, `${cursor.line}: no label at ${cursor.at}`);
    const label = shown.startsWith('"') ? unescape(shown.slice(1, -1)) : shown;
    if (first && namesMetric) {
      assert(shown.startsWith('"'), cursor.line);
      name = label;
      continue;
    }
    const value = take(cursor, /="(?:[^"\\\n]|\\[\\n"])*"/y);
    assert(value !== undefined, `${cursor.line}: no value at ${cursor.at}`);
    assert(label !== "" && label !== "__name__" && !labels.has(label), `${cursor.line}: label ${label}`);
    labels.set(label, unescape(value.slice(2, -1)));
  }
  cursor.at++;
  return { labels, ...(name !== undefined && { name }) };
}

function unescape(text: string): string {
  return text.replace(/\\(.)/gs, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
}

function parseNumber(text = ""): number {
  assert.match(text, /^(NaN|[-+]?Inf|[-+]?\d+(\.\d+)?(e[-+]?\d+)?)$/, `no number: ${text}`);
  return Number(text.replace("Inf", "Infinity"));
}
