/** Words for the units of UCUM that metrics come in; whatever is not here keeps its own name. */
const WORDS: Readonly<Record<string, string>> = {
  ns: "nanoseconds",
  us: "microseconds",
  ms: "milliseconds",
  s: "seconds",
  min: "minutes",
  h: "hours",
  d: "days",
  By: "bytes",
  kBy: "kilobytes",
  KBy: "kilobytes",
  MBy: "megabytes",
  GBy: "gigabytes",
  TBy: "terabytes",
  KiBy: "kibibytes",
  MiBy: "mebibytes",
  GiBy: "gibibytes",
  TiBy: "tebibytes",
  m: "meters",
  g: "grams",
  V: "volts",
  A: "amperes",
  J: "joules",
  W: "watts",
  Hz: "hertz",
  Cel: "celsius",
  "%": "percent",
};

/** After a slash: one of them. */
const PER: Readonly<Record<string, string>> = {
  s: "second",
  m: "minute",
  min: "minute",
  h: "hour",
  d: "day",
  w: "week",
  mo: "month",
  y: "year",
};

/** `By/s` → `bytes_per_second`, `{request}/s` → `per_second`; what stands in braces counts things and is no unit. */
export function unitWords(unit: string): string {
  const [whole = "", part = ""] = unit.replace(/\{[^}]*\}/g, "").split("/", 2);
  const of = word(WORDS, whole);
  const per = word(PER, part);
  return [of, per && `per_${per}`].filter((text) => text !== "").join("_");
}

function word(words: Readonly<Record<string, string>>, unit: string): string {
  const name = unit.trim();
  if (name === "1") return "";
  const known = Object.hasOwn(words, name) ? words[name] : name;
  return (known ?? "").replace(/[^a-zA-Z0-9]+/g, "_").replace(/^_|_$/g, "");
}
