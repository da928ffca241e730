import { setTimeout } from "node:timers/promises";
import type { Attributes } from "@opentelemetry/api";
import { AggregationType, MeterProvider, MetricReader, type ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { METRICS, Slices } from "@telltale/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toFixedBuckets } from "../../src/exponential.js";
import { FrameReader, packFrame } from "../../src/merge/frames.js";
import { gaugeRule } from "../../src/merge/gauge-rules.js";
import { Ledger } from "../../src/merge/ledger.js";
import { ReportEncoder } from "../../src/merge/report-encoder.js";
import type { LedgerEntry, ReportFrame } from "../../src/merge/report.js";
import type { Page } from "../../src/index.js";
import { buckets, counter, exponential, gauge, histogram, render, upDown } from "../pages.js";

type Metrics = ScopeMetrics["metrics"];

/** What goes over a connection comes out the same. */
function overTheWire(frame: ReportFrame): ReportFrame {
  const reader = new FrameReader();
  const packed = packFrame(frame.report, frame.words);
  const [got] = [
    ...reader.read(packed.subarray(0, 7)),
    ...reader.read(packed.subarray(7, 60)),
    ...reader.read(packed.subarray(60)),
  ];
  if (got === undefined) throw new Error("no frame");
  return { report: got.head as ReportFrame["report"], words: got.words };
}

/** A process that reports to a ledger, and to whoever is told the same. */
class Process {
  private encoder = new ReportEncoder();
  private source = "";
  readonly member: string;

  constructor(member: string) {
    this.member = member;
  }

  join(ledgers: Ledger[], source: string): void {
    this.encoder = new ReportEncoder();
    this.source = source;
    tell(ledgers, { op: "join", source, member: this.member, slot: ledgers[0]?.slotFor(this.member) ?? 0 });
  }

  report(ledgers: Ledger[], metrics: Metrics): void {
    const { source } = this;
    for (const frame of this.encoder.encode([{ scope: { name: "app" }, metrics }])) {
      const { report, words } = overTheWire(frame);
      tell(ledgers, { op: "report", source, report }, words);
    }
    tell(ledgers, { op: "complete", source });
  }

  leave(ledgers: Ledger[]): void {
    tell(ledgers, { op: "gone", source: this.source });
  }

  fold(ledgers: Ledger[]): void {
    tell(ledgers, { op: "fold", source: this.source });
  }
}

function tell(ledgers: Ledger[], entry: LedgerEntry, words: Float64Array = new Float64Array()): void {
  for (const ledger of ledgers) ledger.apply(structuredClone(entry), words);
}

const resource = { attributes: { "service.name": "app" } };

async function pageOf(ledger: Ledger): Promise<Page> {
  return ledger.page(resource, new Slices());
}

/** Values by metric and attributes; of histograms their count, sum and buckets. */
async function valuesOf(ledger: Ledger): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const { metrics } of (await pageOf(ledger)).scopeMetrics) {
    for (const { descriptor, dataPoints } of metrics) {
      for (const { attributes, value } of dataPoints) {
        const shown =
          typeof value === "object" && "buckets" in value ? [value.count, value.sum, ...value.buckets.counts] : value;
        values[`${descriptor.name}${JSON.stringify(attributes)}`] = shown;
      }
    }
  }
  return values;
}

async function merged(...all: Metrics[]): Promise<Record<string, unknown>> {
  const ledger = new Ledger();
  for (const [n, metrics] of all.entries()) {
    const one = new Process(`p${n}`);
    one.join([ledger], `s${n}`);
    one.report([ledger], metrics);
  }
  return valuesOf(ledger);
}

describe("what several processes say of one series", () => {
  test("counters, up-down counters and histograms are summed", async () => {
    const bounds = [1, 10];
    expect(
      await merged(
        [
          counter("c", [[{ a: 1 }, 3]]),
          upDown("u", [[{}, 5]]),
          histogram("h", [[{}, buckets(bounds, [1, 0, 2], 21.5)]]),
        ],
        [
          counter("c", [
            [{ a: 1 }, 4],
            [{ a: 2 }, 1],
          ]),
          upDown("u", [[{}, -2]]),
          histogram("h", [[{}, buckets(bounds, [0, 3, 1], 40)]]),
        ],
      ),
    ).toEqual({ 'c{"a":1}': 7, 'c{"a":2}': 1, "u{}": 3, "h{}": [7, 61.5, 1, 3, 3] });
  });

  test("attributes in another order are the same series", async () => {
    expect(await merged([counter("c", [[{ a: 1, b: "x" }, 3]])], [counter("c", [[{ b: "x", a: 1 }, 4]])])).toEqual({
      'c{"a":1,"b":"x"}': 7,
    });
  });

  test("a histogram without a sum has none together", async () => {
    const one = histogram("h", [[{}, buckets([1], [1, 1])]]);
    expect(await merged([one], [histogram("h", [[{}, buckets([1], [1, 1], 3)]])])).toEqual({
      "h{}": [4, undefined, 2, 2],
    });
  });

  test("values that JSON does not have", async () => {
    expect(
      await merged([
        gauge("g", [
          [{ n: 1 }, Number.NaN],
          [{ n: 2 }, -Infinity],
        ]),
      ]),
    ).toEqual({
      'g{"telltale.worker":0,"n":1}': Number.NaN,
      'g{"telltale.worker":0,"n":2}': -Infinity,
    });
  });

  const rules: [name: string, values: number[], expected: number][] = [
    [METRICS.loopDelayMin.name, [3, 1, 2], 1],
    [METRICS.loopDelayMean.name, [3, 1, 2], 2],
    [METRICS.loopDelayP99.name, [3, 1, 2], 3],
    [METRICS.loopUtilization.name, [0.2, 0.9], 0.9],
    [METRICS.cpuUtilization.name, [0.25, 0.5], 0.75],
    [METRICS.uptime.name, [10, 70], 10],
    [METRICS.resourcesActive.name, [3, 4], 7],
  ];
  test.each(rules)("%s of %j is %d", async (name, values, expected) => {
    expect(await merged(...values.map((value) => [gauge(name, [[{}, value]])]))).toEqual({ [`${name}{}`]: expected });
  });

  test("the user's own rules for gauges are stronger", async () => {
    const ledger = new Ledger({ depth: "max", [METRICS.uptime.name]: "max" });
    for (const [n, value] of [4, 9, 2].entries()) {
      const one = new Process(`p${n}`);
      one.join([ledger], `s${n}`);
      one.report([ledger], [gauge("depth", [[{}, value]]), gauge(METRICS.uptime.name, [[{}, value]])]);
    }
    expect(await valuesOf(ledger)).toEqual({ "depth{}": 9, [`${METRICS.uptime.name}{}`]: 9 });
  });
});

describe("a process that ends", () => {
  const page = (n: number): Metrics => [counter("c", [[{}, n]]), upDown("u", [[{}, n]]), gauge("g", [[{}, n]])];

  test("leaves its counters and takes its gauges along; the next one begins at 0 and adds", async () => {
    const ledger = new Ledger();
    const [first, other, next] = [new Process("a"), new Process("b"), new Process("c")];
    first.join([ledger], "1");
    first.report([ledger], page(10));
    other.join([ledger], "2");
    other.report([ledger], page(1));
    first.leave([ledger]);
    expect(await valuesOf(ledger)).toEqual({ "c{}": 11, "u{}": 1, 'g{"telltale.worker":1}': 1 });
    next.join([ledger], "3");
    next.report([ledger], page(5));
    expect(await valuesOf(ledger)).toEqual({
      "c{}": 16,
      "u{}": 6,
      'g{"telltale.worker":0}': 5,
      'g{"telltale.worker":1}': 1,
    });
    first.fold([ledger]);
    expect(await valuesOf(ledger)).toEqual({
      "c{}": 16,
      "u{}": 6,
      'g{"telltale.worker":0}': 5,
      'g{"telltale.worker":1}': 1,
    });
  });

  test("and comes back, with all that it had: it is counted once", async () => {
    const ledger = new Ledger();
    const one = new Process("a");
    one.join([ledger], "1");
    one.report([ledger], page(10));
    one.leave([ledger]);
    one.join([ledger], "2");
    expect(await valuesOf(ledger)).toEqual({ "c{}": 10 });
    one.report([ledger], page(12));
    expect(await valuesOf(ledger)).toEqual({ "c{}": 12, "u{}": 12, 'g{"telltale.worker":0}': 12 });
  });

  test("a series that ends within a process is treated the same, and its number is used again", async () => {
    const ledger = new Ledger();
    const one = new Process("a");
    one.join([ledger], "1");
    one.report([ledger], [counter("c", [[{ pool: 1 }, 10]]), upDown("u", [[{ pool: 1 }, 3]])]);
    one.report([ledger], [counter("c", [[{ pool: 2 }, 1]]), upDown("u", [[{ pool: 2 }, 4]])]);
    one.report(
      [ledger],
      [
        counter("c", [
          [{ pool: 2 }, 2],
          [{ pool: 3 }, 7],
        ]),
      ],
    );
    expect(await valuesOf(ledger)).toEqual({ 'c{"pool":1}': 10, 'c{"pool":2}': 2, 'c{"pool":3}': 7 });
  });

  test("a version with other buckets is shown once those of the one before have ended", async () => {
    const ledger = new Ledger();
    const [old, next] = [new Process("a"), new Process("b")];
    old.join([ledger], "1");
    old.report([ledger], [histogram("h", [[{}, buckets([1, 2], [0, 1, 0], 2)]])]);
    next.join([ledger], "2");
    next.report([ledger], [histogram("h", [[{}, buckets([1, 5], [0, 1, 1], 9)]])]);
    const shown = async (): Promise<string[]> => {
      const { lines } = await render([], await pageOf(ledger));
      return lines.filter((line) => line.startsWith("h_"));
    };
    expect(await shown()).toContain('h_bucket{le="2.0"} 1');
    old.leave([ledger]);
    const all = ['h_bucket{le="1.0"} 0', 'h_bucket{le="5.0"} 1', 'h_bucket{le="+Inf"} 2', "h_sum 9", "h_count 2"];
    expect(await shown()).toEqual(all);
    old.fold([ledger]);
    expect(await shown()).toEqual(all);
  });

  test("a counter that begins anew under the same name adds to what it had", async () => {
    const ledger = new Ledger();
    const one = new Process("a");
    one.join([ledger], "1");
    const since = (second: number, n: number): Metrics => {
      const data = counter("c", [[{}, n]]);
      return [
        { ...data, dataPoints: data.dataPoints.map((point) => Object.assign(point, { startTime: [second, 0] })) },
      ] as Metrics;
    };
    one.report([ledger], since(1, 10));
    one.report([ledger], since(1, 11));
    one.report([ledger], since(2, 20));
    expect(await valuesOf(ledger)).toEqual({ "c{}": 31 });
  });

  test("two instruments of one name are added up, and a page that is made again counts nothing", async () => {
    const reader = new Collector();
    const meter = new MeterProvider({ readers: [reader] }).getMeter("app");
    const [ledger, heir] = [new Ledger(), new Ledger()];
    const one = new Process("a");
    one.join([ledger, heir], "1");
    const report = async (): Promise<unknown> => {
      const { scopeMetrics } = (await reader.collect()).resourceMetrics;
      one.report([ledger, heir], scopeMetrics[0]?.metrics ?? []);
      expect(await valuesOf(heir)).toEqual(await valuesOf(ledger));
      return (await valuesOf(ledger))["c{}"];
    };
    const jobs = meter.createCounter("c");
    jobs.add(5);
    await setTimeout(5);
    meter.createObservableCounter("c").addCallback((result) => result.observe(7));
    expect([await report(), await report(), await report()]).toEqual([12, 12, 12]);
    jobs.add(1);
    expect(await report()).toBe(13);
    one.leave([ledger, heir]);
    one.fold([ledger, heir]);
    expect(await valuesOf(heir)).toEqual({ "c{}": 13 });
  });
});

const COUNTS = fc.record({
  op: fc.constant("count" as const),
  who: fc.nat(3),
  series: fc.nat(4),
  by: fc.integer({ min: 1, max: 9 }),
});
const STEPS = fc.record({
  op: fc.constantFrom("report", "end", "kill", "drop", "fold", "appoint", "dump", "takeOver"),
  who: fc.nat(3),
});

/** The model: what each process counted, and what of it was told. */
interface Counting {
  process: Process;
  readonly counted: number[];
  told: number[];
  isThere: boolean;
}

test("whatever happens to processes, nothing falls, nothing is counted twice, and the heir knows the same", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 2, arbitrary: COUNTS }, { weight: 3, arbitrary: STEPS }), {
        maxLength: 80,
        size: "max",
      }),
      async (steps) => {
        let ledger = new Ledger();
        let heir: Ledger | undefined;
        let dump: ReturnType<Ledger["dump"]> | undefined;
        let sources = 0;
        const gone: Process[] = [];
        let members = 0;
        const lost: number[] = [0, 0, 0, 0, 0];
        const ledgers = (): Ledger[] => (heir === undefined ? [ledger] : [ledger, heir]);
        const begin = (): Counting => {
          const process = new Process(`member ${members++}`);
          process.join(ledgers(), `source ${sources++}`);
          return { process, counted: [0, 0, 0, 0, 0], told: [0, 0, 0, 0, 0], isThere: true };
        };
        const living = [begin(), begin(), begin(), begin()];
        const report = (one: Counting): void => {
          if (!one.isThere) one.process.join(ledgers(), `source ${sources++}`);
          one.isThere = true;
          const points = one.counted.map((n, series): [Attributes, number] => [{ series }, n]);
          const sizes = one.counted.map(
            (n, series) => [{ series }, buckets([1], [n, 2 * n], n / 3)] as [Attributes, ReturnType<typeof buckets>],
          );
          one.process.report(ledgers(), [
            counter(
              "c",
              points.filter(([, n]) => n > 0),
            ),
            histogram(
              "h",
              sizes.filter(([, { count }]) => count > 0),
            ),
            gauge("g", points),
          ]);
          one.told = [...one.counted];
        };
        const goOn = (times: number): void => {
          for (; times > 0 && dump !== undefined; times--) {
            const { value, done } = dump.next();
            if (done) dump = undefined;
            else for (const [entry, words] of value) tell(heir === undefined ? [] : [heir], entry, words);
          }
        };
        let before: Record<string, unknown> = {};
        for (const step of steps) {
          const one = living[step.who] as Counting;
          if (step.op === "count") one.counted[step.series] = (one.counted[step.series] as number) + step.by;
          else if (step.op === "report") report(one);
          else if (step.op === "appoint") {
            heir = new Ledger();
            dump = ledger.dump();
            goOn(1);
          } else if (step.op === "dump") goOn(2);
          else if (step.op === "fold") gone.pop()?.fold(ledgers());
          else if (step.op === "drop") {
            if (one.isThere) one.process.leave(ledgers());
            one.isThere = false;
          } else if (step.op === "takeOver") {
            goOn(100);
            if (heir === undefined) continue;
            ledger = heir;
            heir = undefined;
            ledger.allGone();
            // Those who are gone are folded by name, which the heir has as well.
            for (const other of living) other.isThere = false;
          } else {
            if (step.op === "end") report(one);
            for (const [series, n] of one.told.entries()) lost[series] = (lost[series] as number) + n;
            one.process.leave(ledgers());
            gone.push(one.process);
            living[step.who] = begin();
          }
          const values = await valuesOf(ledger);
          for (let series = 0; series < 5; series++) {
            const expected = living.reduce((sum, { told }) => sum + (told[series] as number), lost[series] as number);
            const key = `c{"series":${series}}`;
            expect(values[key] ?? 0).toBe(expected);
            const [count = 0, sum = 0] = (values[`h{"series":${series}}`] ?? []) as number[];
            expect(count).toBe(3 * expected);
            const [, sumBefore = 0] = (before[`h{"series":${series}}`] ?? []) as number[];
            expect(sum).toBeGreaterThanOrEqual(sumBefore);
            expect(sum).toBeCloseTo(expected / 3, 6);
          }
          before = values;
          if (heir !== undefined && dump === undefined) {
            expect(await valuesOf(heir)).toEqual(values);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

class Collector extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

test("instruments of the SDK, collected again and again, report only what changed", async () => {
  const reader = new Collector();
  const meter = new MeterProvider({ readers: [reader] }).getMeter("app");
  const [orders, sizes] = [meter.createCounter("orders"), meter.createHistogram("sizes")];
  let depth = 1;
  meter.createObservableGauge("depth").addCallback((result) => result.observe(depth));
  meter.createObservableCounter("ticks").addCallback((result) => result.observe(100));
  const encoder = new ReportEncoder();
  const words = async (): Promise<number> => {
    const { resourceMetrics } = await reader.collect();
    return [...encoder.encode(resourceMetrics.scopeMetrics)].reduce((sum, frame) => sum + frame.words.length, 0);
  };
  orders.add(1, { kind: "a" });
  orders.add(1, { kind: "b" });
  sizes.record(3);
  expect(await words()).toBe(3 * 4 + 3 + 7);
  expect(await words()).toBe(0);
  orders.add(1, { kind: "b" });
  expect(await words()).toBe(4);
  sizes.record(3);
  depth = 2;
  expect(await words()).toBe(7 + 3);
});

test("exponential histograms of several processes are that of one which measured all", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.array(fc.oneof(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), fc.constant(0)), {
          minLength: 1,
          maxLength: 60,
          size: "max",
        }),
        { minLength: 1, maxLength: 4 },
      ),
      async (values) => {
        const measure = async (all: number[]) => {
          const reader = new Collector();
          const views = [
            { instrumentName: "*", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM as const } },
          ];
          const sizes = new MeterProvider({ readers: [reader], views }).getMeter("app").createHistogram("sizes");
          for (const value of all) sizes.record(value);
          const { resourceMetrics } = await reader.collect();
          const [data] = resourceMetrics.scopeMetrics[0]?.metrics ?? [];
          return data?.dataPoints[0]?.value as Parameters<typeof toFixedBuckets>[0];
        };
        const ledger = new Ledger();
        for (const [n, some] of values.entries()) {
          const one = new Process(`p${n}`);
          one.join([ledger], `s${n}`);
          one.report([ledger], [exponential("sizes", [[{}, await measure(some)]])]);
          if (n % 2 === 1) {
            one.leave([ledger]);
            one.fold([ledger]);
          }
        }
        const [data] = (await pageOf(ledger)).scopeMetrics[0]?.metrics ?? [];
        const got = toFixedBuckets(data?.dataPoints[0]?.value as Parameters<typeof toFixedBuckets>[0]);
        const expected = toFixedBuckets(await measure(values.flat()));
        expect(nonEmpty(got)).toEqual(nonEmpty(expected));
        expect(got.count).toBe(values.flat().length);
      },
    ),
    { numRuns: 60 },
  );
});

function nonEmpty({
  buckets: { boundaries, counts },
}: ReturnType<typeof toFixedBuckets>): [number | undefined, number][] {
  return counts.map((held, n): [number | undefined, number] => [boundaries[n], held]).filter(([, held]) => held > 0);
}

const exemplarAt = (value: number, second: number, digit: string) => ({
  value,
  timestamp: [second, 500_000_000] as [number, number],
  traceId: digit.repeat(32),
  spanId: digit.repeat(16),
});
type TestExemplar = ReturnType<typeof exemplarAt>;

function withExemplars(data: Metrics[number], exemplars: TestExemplar[]): Metrics {
  return [{ ...data, dataPoints: data.dataPoints.map((point) => Object.assign(point, { exemplars })) }] as Metrics;
}

async function exemplarsOf(ledger: Ledger): Promise<unknown> {
  const [data] = (await pageOf(ledger)).scopeMetrics[0]?.metrics ?? [];
  const [point] = (data?.dataPoints ?? []) as unknown as { exemplars: unknown[] }[];
  return point?.exemplars;
}

function twoOf(ledgers: Ledger[]): [Process, Process] {
  const both: [Process, Process] = [new Process("a"), new Process("b")];
  for (const [n, one] of both.entries()) one.join(ledgers, `s${n}`);
  return both;
}

test("exemplars of histograms: the newest of each bucket, of whatever process", async () => {
  const page = (held: number[], exemplars: TestExemplar[]): Metrics =>
    withExemplars(histogram("h", [[{}, buckets([1, 10], held, 1)]]), exemplars);
  const at = exemplarAt;
  const ledger = new Ledger();
  const [one, other] = twoOf([ledger]);
  one.report([ledger], page([1, 1, 1], [at(0.5, 10, "a"), at(2, 20, "b"), at(11, 10, "c")]));
  other.report([ledger], page([1, 1, 0], [at(0.7, 20, "d"), at(3, 10, "e")]));
  expect(await exemplarsOf(ledger)).toEqual([at(0.7, 20, "d"), at(2, 20, "b"), at(11, 10, "c")]);
  other.report([ledger], page([1, 2, 0], [at(0.7, 20, "d"), at(4, 30, "f")]));
  one.leave([ledger]);
  one.fold([ledger]);
  expect(await exemplarsOf(ledger)).toEqual([at(0.7, 20, "d"), at(4, 30, "f"), at(11, 10, "c")]);
});

test("exemplars of counters: the newest, and the heir has it", async () => {
  const page = (n: number, exemplars: TestExemplar[]): Metrics => withExemplars(counter("c", [[{}, n]]), exemplars);
  const ledger = new Ledger();
  const [one, other] = twoOf([ledger]);
  one.report([ledger], page(3, [exemplarAt(1, 30, "a")]));
  other.report([ledger], page(4, [exemplarAt(1, 20, "b")]));
  other.report([ledger], page(5, []));
  expect(await exemplarsOf(ledger)).toEqual([exemplarAt(1, 30, "a")]);
  one.leave([ledger]);
  one.fold([ledger]);
  const heir = new Ledger();
  for (const entries of ledger.dump()) for (const [entry, words] of entries) tell([heir], entry, words);
  expect(await exemplarsOf(heir)).toEqual([exemplarAt(1, 30, "a")]);
  expect(await valuesOf(heir)).toEqual({ "c{}": 8 });
});

test("every gauge of ours has a rule, so that no dashboard meets a label that it does not know", () => {
  const gauges = Object.values(METRICS).filter(({ kind }) => kind === "gauge");
  expect(gauges.length).toBeGreaterThan(8);
  expect(gauges.filter(({ name }) => gaugeRule(name, {}) === "each")).toEqual([]);
});
