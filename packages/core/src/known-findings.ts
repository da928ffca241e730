import { type Finding, type FindingKind, KINDS_OF_FINDINGS } from "./finding.js";

/** A finding that is accepted for now. It stands for every finding that has what it says. */
export interface KnownFinding {
  readonly kind: FindingKind;
  /** `GET /orders/:id`. */
  readonly endpoint?: string;
  readonly fingerprint?: string;
  /** For who reads the file, as is whatever else an entry holds; not compared. */
  readonly title?: string;
}

/** What tells findings apart from release to release. */
type Identity = Pick<Finding, "kind" | "endpoint" | "fingerprint">;

const MAX_ENTRIES = 10_000;

/**
 * Reads the text of a `telltale.todo.json`: `{ "findings": [{ "kind": "n_plus_one", "endpoint": "GET /orders", "fingerprint": "…" }] }`.
 * Never throws; what does not fit is a problem, and the entries that do are kept.
 */
export function readKnownFindings(text: string): {
  readonly findings: readonly KnownFinding[];
  readonly problems: readonly string[];
} {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return { findings: [], problems: [`it is no JSON: ${error instanceof Error ? error.message : String(error)}`] };
  }
  const list = isObject(given) ? given["findings"] : undefined;
  if (!Array.isArray(list)) return { findings: [], problems: ['it must be { "findings": [ … ] }'] };
  const findings: KnownFinding[] = [];
  const problems: string[] = [];
  if (list.length > MAX_ENTRIES) problems.push(`of its ${list.length} findings only the first ${MAX_ENTRIES} are read`);
  for (const [n, entry] of list.slice(0, MAX_ENTRIES).entries()) {
    const problem = problemOf(entry);
    if (problem === undefined) findings.push(entry as KnownFinding);
    else problems.push(`findings[${n}]${problem}`);
  }
  return { findings, problems };
}

function problemOf(entry: unknown): string | undefined {
  if (!isObject(entry)) return " must be an object";
  const { kind, endpoint, fingerprint } = entry;
  if (!(KINDS_OF_FINDINGS as readonly unknown[]).includes(kind)) {
    return `.kind must be one of ${KINDS_OF_FINDINGS.join(", ")}`;
  }
  for (const [name, value] of Object.entries({ endpoint, fingerprint })) {
    if (value !== undefined && (typeof value !== "string" || value === "")) return `.${name} must be a text`;
  }
  return endpoint === undefined && fingerprint === undefined ? " must have an endpoint or a fingerprint" : undefined;
}

/**
 * The text of a `telltale.todo.json` that accepts findings. Entries that were in it before stay as they are, with the notes in them; what
 * they accept is not added again. A finding with neither endpoint nor fingerprint cannot be accepted.
 */
export function writeKnownFindings(
  findings: Iterable<Identity & Partial<Pick<Finding, "title">>>,
  before: readonly KnownFinding[] = [],
): string {
  const known = createKnownFindings(before);
  const added = new Map<string, KnownFinding>();
  for (const { kind, endpoint, fingerprint, title } of findings) {
    if ((endpoint ?? fingerprint) === undefined || known.accepts({ kind, endpoint, fingerprint })) continue;
    added.set(keyOf(kind, endpoint, fingerprint), {
      kind,
      ...(endpoint !== undefined && { endpoint }),
      ...(fingerprint !== undefined && { fingerprint }),
      ...(title !== undefined && { title }),
    });
  }
  // In an order of their own, so that two runs that found the same write the same.
  const sorted = [...added].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  return `${JSON.stringify({ findings: [...before, ...sorted] }, undefined, 2)}\n`;
}

/** Findings that are accepted. */
export interface KnownFindings {
  accepts(finding: Identity): boolean;
  /** Those that have not occurred since the start: repaired, or not asked for yet. */
  unseen(): readonly KnownFinding[];
}

export function createKnownFindings(entries: readonly KnownFinding[]): KnownFindings {
  const byKey = new Map<string, { readonly entry: KnownFinding; isSeen: boolean }>();
  for (const entry of entries) {
    byKey.set(keyOf(entry.kind, entry.endpoint, entry.fingerprint), { entry, isSeen: false });
  }
  const see = (key: string): boolean => {
    const known = byKey.get(key);
    if (known !== undefined) known.isSeen = true;
    return known !== undefined;
  };
  return {
    accepts({ kind, endpoint, fingerprint }) {
      if (byKey.size === 0) return false;
      // All that fit have been seen.
      const fits = [
        see(keyOf(kind, endpoint, fingerprint)),
        see(keyOf(kind, endpoint, undefined)),
        see(keyOf(kind, undefined, fingerprint)),
      ];
      return fits.includes(true);
    },
    unseen: () => [...byKey.values()].filter(({ isSeen }) => !isSeen).map(({ entry }) => entry),
  };
}

function keyOf(kind: string, endpoint: string | undefined, fingerprint: string | undefined): string {
  return JSON.stringify([kind, endpoint ?? null, fingerprint ?? null]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
