import { showLine } from "../show-text.js";

/** How numbers of one unit are written: `value / divisor`, with so many digits, and the suffix. */
export interface Quantity {
  readonly divisor: number;
  readonly suffix: string;
}

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB"];
const PLAIN = ["", "k", "M", "G", "T"];
const DURATIONS: readonly (readonly [fromMs: number, suffix: string, divisor: number])[] = [
  [86_400_000, "d", 86_400_000],
  [3_600_000, "h", 3_600_000],
  [120_000, "min", 60_000],
  [1000, "s", 1000],
  [1, "ms", 1],
  [0.001, "µs", 0.001],
  [0, "ns", 1e-6],
];

const MS_PER: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["ms", 1],
  ["s", 1000],
]);

/**
 * The quantity in which a number of this size is best read, so that all labels of an axis share one. Units as in OpenTelemetry:
 * `ms`, `s`, `us`, `ns`, `By`, `1`, `%` (a ratio from 0 to 1), `{request}`; a rate ends in `/s`.
 */
export function quantityFor(unit: string, largest: number): Quantity {
  const isRate = unit.endsWith("/s");
  const bare = isRate ? unit.slice(0, -2) : unit;
  const rate = isRate ? "/s" : "";
  if (bare === "%") return { divisor: 0.01, suffix: " %" };
  const perMs = MS_PER.get(bare);
  if (perMs !== undefined && !isRate) return durationQuantity(largest, perMs);
  if (bare === "By") return steppedQuantity(largest, 1024, BYTES, rate, " ");
  const word = unitWord(bare);
  return steppedQuantity(largest, 1000, PLAIN, `${word === "" ? "" : " "}${word}${rate}`, "");
}

/** `12.3 ms`; an en dash where there is no number. */
export function formatQuantity(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const quantity = quantityFor(unit, Math.abs(value));
  const shown = value / quantity.divisor;
  const least = Number.isInteger(shown) ? 0 : undefined;
  return `${formatNumber(shown, least)}${quantity.suffix}`;
}

/** Three significant digits: `0.0420`, `4.20`, `420`, `42,000`, `4.20e+13`; of those after the point at least `least`, all by default. */
export function formatNumber(value: number, least?: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(2);
  const digits = size === 0 || size >= 100 ? 0 : Math.min(6, 2 - Math.floor(Math.log10(size)));
  return value.toLocaleString("en", { minimumFractionDigits: least ?? digits, maximumFractionDigits: digits });
}

function durationQuantity(largest: number, perMs: number): Quantity {
  const ms = largest * perMs;
  const row = ms === 0 ? DURATIONS.find(([from]) => from === 1) : DURATIONS.find(([from]) => ms >= from);
  const [, suffix, divisor] = row ?? [1, "ms", 1];
  return { divisor: divisor / perMs, suffix: ` ${suffix}` };
}

function steppedQuantity(
  largest: number,
  step: number,
  prefixes: readonly string[],
  tail: string,
  space: string,
): Quantity {
  let level = 0;
  // Whole numbers of four digits are still read at a glance.
  while (level < prefixes.length - 1 && largest >= step ** (level + 1) * (step === 1000 ? 10 : 1)) level++;
  return { divisor: step ** level, suffix: `${space}${prefixes[level] ?? ""}${tail}` };
}

/** `{request}` is an annotation: what is counted, which the title says already. */
function unitWord(unit: string): string {
  return unit === "1" || unit.startsWith("{") ? "" : showLine(unit, 12);
}
