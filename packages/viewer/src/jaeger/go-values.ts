import { JaegerError } from "./jaeger-error.js";

// Jaeger is written in Go: its parameters are what Go's packages strconv and time read.

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00B5s": 1e3,
  "\u03BCs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3_600e9,
};

/** `1.2s`, `100ms`, `1h30m`, in nanoseconds (`time.ParseDuration`). */
export function readDuration(text: string, parameter: string): number {
  const invalid = () => malformed(parameter, `time: invalid duration ${quote(text)}`);
  const unsigned = /^[+-]/.test(text) ? text.slice(1) : text;
  if (unsigned === "0") return 0;
  if (unsigned === "" || text.length > 60) throw invalid();
  const part = /(\d+\.?\d*|\.\d+)([a-z\u00B5\u03BC]*)/y;
  let total = 0;
  while (part.lastIndex < unsigned.length) {
    const [, amount = "", unit = ""] = part.exec(unsigned) ?? [];
    if (amount === "") throw invalid();
    if (unit === "") throw malformed(parameter, `time: missing unit in duration ${quote(text)}`);
    const each = Object.hasOwn(NANOSECONDS, unit) ? NANOSECONDS[unit] : undefined;
    if (each === undefined) {
      throw malformed(parameter, `time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    }
    total += Number(amount) * each;
  }
  if (total > 2 ** 63) throw invalid();
  return text.startsWith("-") ? -total : total;
}

/** A whole number of 64 bits (`strconv.ParseInt`). */
export function readInteger(text: string, parameter: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw malformed(parameter, `strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  const number = Number(text);
  if (Math.abs(number) >= 2 ** 63) {
    throw malformed(parameter, `strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  }
  return number;
}

/** `strconv.ParseBool` */
export function readBoolean(text: string, parameter: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw malformed(parameter, `strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

/** RFC 3339 with up to nine digits of a second, in microseconds since the epoch (`time.RFC3339Nano`). */
export function readMoment(text: string, parameter: string): number {
  // Grafana sends the + of a time zone as it is, which a query turns into a space.
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+ -]\d\d:\d\d)$/.exec(text);
  const [, seconds = "", fraction = ".0", zone = ""] = match ?? [];
  const ms = Date.parse(seconds + zone.replace(" ", "+"));
  if (!Number.isFinite(ms)) {
    throw malformed(parameter, `parsing time ${quote(text)} as "2006-01-02T15:04:05.999999999Z07:00": cannot parse it`);
  }
  return ms * 1_000 + Math.floor(Number(fraction) * 1e6);
}

export function malformed(parameter: string, problem: string): JaegerError {
  return new JaegerError(400, problem, parameter);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
