/** One series, and how much it grew while somebody looked. */
export interface Sample {
  /** As Prometheus has it, with underscores: `http_server_request_duration_seconds_bucket`. */
  readonly name: string;
  /** By names with underscores. */
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What is known of a service after a look at it. */
export interface Growth {
  readonly samples: readonly Sample[];
  /** For how long was looked, in s. */
  readonly seconds: number;
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/**
 * Reads a page in Prometheus's text format or OpenMetrics.
 *
 * @throws SyntaxError with the line that is none of either.
 */
export function readPage(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const match = SAMPLE.exec(line);
    const value = match === null ? Number.NaN : Number(match[3]?.replace("Inf", "Infinity"));
    if (match === null || (Number.isNaN(value) && match[3] !== "NaN")) throw new SyntaxError(line.slice(0, 100));
    samples.push({ name: match[1] ?? "", labels: readLabels(match[2] ?? ""), value });
  }
  return samples;
}

function readLabels(text: string): Record<string, string> {
  const pairs = [...text.matchAll(LABEL)].map(([, name = "", value = ""]) => [name, unescape(value)] as const);
  return Object.fromEntries(pairs);
}

function unescape(value: string): string {
  return value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
}

/** Names as they are in UTF-8 become those with underscores. */
export function underscored(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_:]/g, "_");
}
