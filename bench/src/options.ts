import { parseArgs } from "node:util";
import { BARE, OWN_VARIANTS, PEER_VARIANTS, VARIANTS } from "./variants.js";

/** `item` is one cached read, `multi` five queries and an MGET. */
export type Endpoint = "item" | "multi";
export type Part = "load" | "startup" | "soak" | "scrape" | "peers";

export interface Options {
  readonly help: boolean;
  readonly parts: ReadonlySet<Part>;
  /** Names, the bare app first. */
  readonly variants: readonly string[];
  readonly endpoints: readonly Endpoint[];
  readonly rounds: number;
  /** Requests per block to `item`, about a second's work; `multi` gets a third of it. */
  readonly requests: number;
  /** Requests to `item` of each server before the first block, a third to `multi`: until then V8 still compiles what an agent adds. */
  readonly warmUp: number;
  /** Processes of the bare app and of each variant of Telltale, as no two are alike; another agent has one. */
  readonly servers: number;
  readonly startupRounds: number;
  readonly soakRequests: number;
  readonly check: boolean;
  readonly keep: boolean;
  /** Where the results go besides the results folder. */
  readonly json: string | undefined;
}

export const HELP = `npm run bench -- [options]

Measures what agents cost a service: CPU, allocation, garbage collection, start-up, memory. Without options: all variants,
both endpoints, under load and at start-up. Missing agents are installed first, under bench/.peers; the results go to
bench/results. What the figures mean: bench/README.md.

  --variants a,b      these only, or "own" (Telltale's) or "peers" (other agents); the bare app is always among them
  --endpoint NAME     item (one cached read), multi (five queries and an MGET) or both (default)
  --rounds N          blocks that each server gets (6), and starts (8)
  --requests N        requests per block to item (9000); multi gets a third of it
  --servers N         processes of the bare app and of each variant of Telltale (3); another agent has one
  --warm-up N         requests to item before a server's first block (80000); multi gets a third of it
  --quick             few variants, few short rounds: shows that all works, and a rough figure
  --check             only Telltale's own variants; compares with bench/reference.json, exit code 1 when something got worse
  --keep              make this run bench/reference.json and bench/chart.svg; goes with --variants (telltale among them),
                      --rounds and --json only
  --json FILE         write the results there too
  --help

Instead of load and start-up, any of
  --startup           start-up
  --soak              2,000,000 requests (or --requests N) to telltale, and to bare: does its memory grow more?
  --scrape            one page of metrics with 10,000 series: how long, and how long at a stretch
  --peers             install the other agents, measure nothing

Variants
${VARIANTS.map(({ name, about }) => `  ${name.padEnd(18)}  ${about}`).join("\n")}
`;

/** A wrong option: its message is for the user. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

const OPTIONS = {
  variants: { type: "string" },
  endpoint: { type: "string" },
  rounds: { type: "string" },
  servers: { type: "string" },
  requests: { type: "string" },
  "warm-up": { type: "string" },
  json: { type: "string" },
  quick: { type: "boolean" },
  startup: { type: "boolean" },
  soak: { type: "boolean" },
  scrape: { type: "boolean" },
  check: { type: "boolean" },
  keep: { type: "boolean" },
  peers: { type: "boolean" },
  help: { type: "boolean" },
} as const;

const SOAK_REQUESTS = 2_000_000;
/** With any other the reference would lack what --check compares, or have measured it in another way. */
const KEEP_GOES_WITH: ReadonlySet<string> = new Set(["keep", "variants", "rounds", "json", "help"]);
const QUICK_VARIANTS = ["floor", "telltale", "otel-min"];
const SOAK_VARIANTS = [BARE, "telltale"];
/** What is done with every variant; of the other parts only a soak has variants, always the same. */
const PARTS_OF_ALL: ReadonlySet<Part> = new Set(["load", "startup", "peers"]);

/** The options of a command line; throws an `OptionError` that says what is wrong with it. */
export function parseOptions(args: readonly string[]): Options {
  const given = read(args);
  const { quick = false, check = false, requests } = given;
  const only = (["startup", "soak", "scrape", "peers"] as const).filter((part) => given[part] === true);
  const parts: readonly Part[] = only.length === 0 ? ["load", "startup"] : only;
  const all = check ? namesOf(OWN_VARIANTS) : quick ? QUICK_VARIANTS : namesOf(VARIANTS);
  const variants = variantsOf(given.variants, all);
  refuseOdd(given, variants);
  return {
    help: given.help ?? false,
    parts: new Set(parts),
    variants: parts.some((part) => PARTS_OF_ALL.has(part)) ? variants : SOAK_VARIANTS,
    endpoints: endpointsOf(given.endpoint),
    rounds: count("--rounds", given.rounds, quick ? 4 : 6),
    requests: count("--requests", requests, quick ? 1_500 : 9_000),
    warmUp: count("--warm-up", given["warm-up"], quick ? 6_000 : 80_000),
    servers: count("--servers", given.servers, quick ? 2 : 3),
    startupRounds: count("--rounds", given.rounds, quick ? 3 : 8),
    soakRequests: count("--requests", requests, SOAK_REQUESTS),
    check,
    keep: given.keep ?? false,
    json: given.json,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: false }).values;
  } catch (error) {
    const [first = ""] = (error instanceof Error ? error.message : String(error)).split(/\. |\n/);
    throw new OptionError(`${first.replace(/\.$/, "")}. The options are:\n\n${HELP}`);
  }
}

/** Refuses what cannot go together. */
function refuseOdd(given: ReturnType<typeof read>, variants: readonly string[]): void {
  const odd = Object.keys(given).find((option) => !KEEP_GOES_WITH.has(option));
  if (given.keep === true && odd !== undefined) {
    throw new OptionError(`--keep goes with --variants, --rounds and --json only, not with --${odd}`);
  }
  const needy = (["keep", "soak"] as const).find((option) => given[option] === true);
  if (needy !== undefined && !variants.includes("telltale")) {
    throw new OptionError(`--${needy} needs telltale among the --variants`);
  }
}

function namesOf(variants: readonly { name: string }[]): string[] {
  return variants.map(({ name }) => name);
}

function variantsOf(text: string | undefined, all: readonly string[]): string[] {
  const wanted = text === undefined ? all : text.split(",").flatMap((part) => variantsNamed(part.trim()));
  return [...new Set([BARE, ...wanted])];
}

function variantsNamed(name: string): string[] {
  if (name === "own") return namesOf(OWN_VARIANTS);
  if (name === "peers") return namesOf(PEER_VARIANTS);
  if (VARIANTS.some((variant) => variant.name === name)) return [name];
  throw new OptionError(`--variants: there is no "${name}"; there are own, peers, ${namesOf(VARIANTS).join(", ")}`);
}

function endpointsOf(text = "both"): Endpoint[] {
  if (text === "both") return ["item", "multi"];
  if (text === "item" || text === "multi") return [text];
  throw new OptionError(`--endpoint must be item, multi or both, got "${text}"`);
}

function count(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text.replaceAll(/[_,]/g, ""));
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new OptionError(`${option} must be a whole number above 0, got "${text}"`);
}
