/** What a metric is to Prometheus. */
export type FamilyType = "counter" | "gauge" | "histogram";

/** UCUM units with words of their own in Prometheus; https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/. */
const UNITS: Readonly<Record<string, string>> = {
  d: "days",
  h: "hours",
  min: "minutes",
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
  By: "bytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  GiBy: "gibibytes",
  TiBy: "tibibytes",
  KBy: "kilobytes",
  MBy: "megabytes",
  GBy: "gigabytes",
  TBy: "terabytes",
  m: "meters",
  V: "volts",
  A: "amperes",
  J: "joules",
  W: "watts",
  g: "grams",
  Cel: "celsius",
  Hz: "hertz",
  "%": "percent",
};
const PER: Readonly<Record<string, string>> = {
  s: "second",
  m: "minute",
  h: "hour",
  d: "day",
  w: "week",
  mo: "month",
  y: "year",
};

/** The name of a family in the strategy `UnderscoreEscapingWithSuffixes`: unit suffix, then `_total` for counters. */
export function familyName(name: string, unit: string, type: FamilyType): string {
  let result = sanitise(name, /[^a-zA-Z0-9_:]+/g);
  const suffix = unitSuffix(unit, type);
  const total = type === "counter" && result.endsWith("_total");
  if (total) result = result.slice(0, -"_total".length);
  if (suffix !== "" && !result.endsWith(`_${suffix}`) && result !== suffix) result += `_${suffix}`;
  return type === "counter" ? `${result}_total` : result;
}

function unitSuffix(unit: string, type: FamilyType): string {
  // `{request}` is an annotation, not a unit.
  const bare = unit.replace(/\{[^}]*\}/g, "").trim();
  if (bare === "1") return type === "gauge" ? "ratio" : "";
  const [counted = "", per] = bare.split("/", 2);
  const first = counted === "" || counted === "1" ? "" : (UNITS[counted] ?? counted);
  const second = per === undefined || per === "" ? "" : `per_${PER[per] ?? per}`;
  return sanitise([first, second].filter((part) => part !== "").join("_"), /[^a-zA-Z0-9]+/g).replace(/^_+|_+$/g, "");
}

/** A label's name: what Prometheus does not take becomes `_`. */
export function labelName(name: string): string {
  return sanitise(name, /[^a-zA-Z0-9_]+/g) || "_";
}

function sanitise(text: string, refused: RegExp): string {
  const clean = text.replace(refused, "_").replace(/__+/g, "_");
  return /^[0-9]/.test(clean) ? `_${clean}` : clean;
}
