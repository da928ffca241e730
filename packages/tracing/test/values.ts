import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type SpanContext,
  type TimeInput,
  trace,
} from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import {
  type Arbitrary,
  array,
  boolean,
  constant,
  constantFrom,
  dictionary,
  double,
  integer,
  letrec,
  oneof,
  record,
  string,
  tuple,
} from "fast-check";

// What apps hand to the API, right and wrong.

export const LONG = "lång ✓ ".repeat(3_000);

export const texts: Arbitrary<string> = oneof(
  constantFrom(
    "",
    "a",
    "GET /orders/:id",
    "ünïcödé ✓ 𝒳",
    "\ud800",
    "x\udc00y",
    "\0",
    "x".repeat(39),
    "x".repeat(40),
    "é".repeat(40),
    LONG,
  ),
  string({ maxLength: 60 }),
  string({ unit: "binary", maxLength: 60 }),
);

export const numbers: Arbitrary<number> = oneof(
  constantFrom(0, -0, 1, -1, 127, 128, 2 ** 31, 2 ** 32, -(2 ** 31), 2 ** 53, -(2 ** 53), Number.MAX_SAFE_INTEGER),
  constantFrom(
    2 ** 63,
    2 ** 63 - 1024,
    -(2 ** 63),
    -(2 ** 63) - 2048,
    2 ** 64,
    1e300,
    5e-324,
    Number.NaN,
    Infinity,
    -Infinity,
  ),
  integer(),
  double(),
);

const simple: Arbitrary<unknown> = oneof(texts, numbers, boolean());

const cyclic: { self?: unknown } = {};
cyclic.self = cyclic;
const shared = { a: 1 };

/** What is no value of an attribute at all. */
const invalid: Arbitrary<unknown> = constantFrom<unknown>(
  undefined,
  cyclic,
  [cyclic],
  () => 1,
  Symbol("s"),
  5n,
  [5n],
  new Date(0),
  new Map([["a", 1]]),
  /x/,
  { constructor: "mine" },
  { deep: { deeper: [new Date(0)] } },
);

const nested = letrec<{ value: unknown }>((tie) => ({
  value: oneof(
    { maxDepth: 4, withCrossShrink: true },
    simple,
    constantFrom<unknown>(null, undefined, new Uint8Array(), new Uint8Array([0, 255, 128]), Buffer.from("bytes")),
    array(tie("value"), { maxLength: 4 }),
    dictionary(oneof(constantFrom("", "k", "ü"), string({ maxLength: 5 })), tie("value"), { maxKeys: 4 }),
  ),
})).value;

export const values: Arbitrary<unknown> = oneof(
  simple,
  nested,
  invalid,
  array(texts, { maxLength: 4 }),
  array(numbers, { maxLength: 4 }),
  array(oneof(constant(null), constant(undefined), boolean()), { maxLength: 4 }),
  // No cycle, though it comes twice.
  constant([shared, shared, { shared }]),
);

// `__proto__` is left out: as a property of an object literal it is lost in the SDK.
const keys: Arbitrary<string> = oneof(
  constantFrom("", "a", "b", "c", "d", "e", "http.route", "ключ", "k".repeat(300), "constructor", "toString", "7"),
  string({ maxLength: 8 }).filter((key) => key !== "__proto__"),
);

export const attributeKeys = keys;
export const attributeSets: Arbitrary<unknown> = oneof(
  { weight: 8, arbitrary: dictionary(keys, values, { maxKeys: 8 }) },
  { weight: 1, arbitrary: constantFrom<unknown>(undefined, null, {}, [], ["x", 1], "text", 7) },
);

/** Moments far from now, which both engines must give back, and ones near it, which depend on the clock. */
export const times: Arbitrary<TimeInput> = oneof(
  integer({ min: 1_000_000_000_000, max: 1_500_000_000_000 }),
  double({ min: 1_000_000_000_000, max: 1_500_000_000_000, noNaN: true }),
  constant(4_102_444_800_000.25),
  integer({ min: 0, max: 2_000_000_000_000 }).map((ms) => new Date(ms)),
  tuple(integer({ min: 0, max: 5_000_000_000 }), integer({ min: 0, max: 999_999_999 })),
  constant<[number, number]>([1_200_000_000, 999_999_999.7]),
  constantFrom(0, 0.5, -3, 10),
);

/** Something that is no time counts as none. */
export const looseTimes: Arbitrary<unknown> = oneof(
  { weight: 3, arbitrary: times },
  { weight: 3, arbitrary: constant(undefined) },
  { weight: 1, arbitrary: constantFrom<unknown>(null, "2020-01-01", {}, [1], [1, "2"], true) },
);

const otherSpan: Arbitrary<SpanContext> = record(
  {
    traceId: constantFrom("0af7651916cd43dd8448eb211c80319c", "f".repeat(32), "00000000000000000000000000000001"),
    spanId: constantFrom("b7ad6b7169203331", "8000000000000000", "00000000000000ff"),
    traceFlags: constantFrom(0, 1, 3, 255),
    isRemote: boolean(),
    traceState: constantFrom(createTraceState("vendor=1,other=2"), createTraceState("a=b"), createTraceState("")),
  },
  { requiredKeys: ["traceId", "spanId", "traceFlags"] },
);

export const linkTargets = otherSpan;

/** Contexts that come from elsewhere: a remote parent, none, one that is no parent, one in which nothing is traced. */
export const foreignContexts: Arbitrary<Context> = oneof(
  otherSpan.map((spanContext) => trace.setSpanContext(ROOT_CONTEXT, spanContext)),
  constantFrom(
    ROOT_CONTEXT,
    trace.setSpanContext(ROOT_CONTEXT, { traceId: "0".repeat(32), spanId: "b7ad6b7169203331", traceFlags: 1 }),
    trace.setSpanContext(ROOT_CONTEXT, { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "short", traceFlags: 1 }),
    suppressTracing(ROOT_CONTEXT),
  ),
);

const cause = new TypeError("bad input");
export const exceptions: Arbitrary<unknown> = constantFrom<unknown>(
  "a text",
  "",
  cause,
  Object.assign(new Error("refused"), { code: "ECONNREFUSED" }),
  Object.assign(new Error("no"), { code: 42 }),
  { message: "only this" },
  { name: "OnlyName" },
  { name: 5, message: ["odd"], stack: 1 },
  {},
  null,
  undefined,
);
