import { ProblemError } from "./problem-error.js";

const MAX_TEXT = 1_000;

/** A text of the query; undefined where it is not given, or empty. */
export function readText(url: URL, name: string): string | undefined {
  const text = url.searchParams.get(name) ?? "";
  if (text.length > MAX_TEXT) {
    throw new ProblemError(400, `${name}: expected at most ${MAX_TEXT} characters, got ${text.length}: shorten it`);
  }
  return text === "" ? undefined : text;
}

export function readNumber(url: URL, name: string, fallback: number, min: number, max: number): number {
  const text = readText(url, name);
  if (text === undefined) return fallback;
  const number = Number(text);
  if (Number.isFinite(number) && number >= min && number <= max) return number;
  return refuse(name, `a number from ${min} to ${max}`, text);
}

export function readChoice<T extends string>(url: URL, name: string, fallback: T, choices: readonly T[]): T {
  const text = readText(url, name);
  if (text === undefined) return fallback;
  return choices.find((choice) => choice === text) ?? refuse(name, `one of ${choices.join(", ")}`, text);
}

/** How far back to look. */
export function readMinutes(url: URL, fallback: number): number {
  return readNumber(url, "minutes", fallback, 1, 7 * 24 * 60);
}

/** Leaving it out is always right. */
export function refuse(name: string, expected: string, text: string): never {
  throw new ProblemError(
    400,
    `${name}: expected ${expected}, got ${JSON.stringify(text.slice(0, 100))}: correct it, or leave it out`,
  );
}
