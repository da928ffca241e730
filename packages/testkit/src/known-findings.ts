import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Finding } from "@telltale/core";

/** What a known finding is told by; numbers and places in the code change too often. */
export interface KnownFinding {
  readonly kind: string;
  readonly endpoint?: string | undefined;
  readonly fingerprint?: string | undefined;
  /** For people. */
  readonly querySummary?: string | undefined;
}

export function keyOf({ kind, endpoint, fingerprint }: KnownFinding): string {
  return [kind, endpoint ?? "", fingerprint ?? ""].join("\n");
}

export function isKnown(known: readonly KnownFinding[], finding: Finding): boolean {
  const key = keyOf(finding);
  return known.some((one) => keyOf(one) === key);
}

/** @throws Error where the file is there, and not what it should be. */
export function readKnownFindings(file: string): readonly KnownFinding[] {
  if (!existsSync(file)) return [];
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Error(`${file} must be JSON: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  const { findings } = (content ?? {}) as { findings?: unknown };
  if (Array.isArray(findings) && findings.every(isFinding)) return findings;
  throw new Error(
    `${file} must be { "findings": [{ "kind": "n_plus_one", "endpoint": "GET /…", "fingerprint": "…" }] }`,
  );
}

/** In an order that does not depend on which test ran first. */
export function writeKnownFindings(file: string, findings: readonly KnownFinding[]): void {
  const sorted = [...findings].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const kept = sorted.map(({ kind, endpoint, querySummary, fingerprint }) => ({
    kind,
    endpoint,
    querySummary,
    fingerprint,
  }));
  writeFileSync(file, `${JSON.stringify({ findings: kept }, undefined, 2)}\n`);
}

function isFinding(entry: unknown): entry is KnownFinding {
  return typeof entry === "object" && entry !== null && typeof (entry as KnownFinding).kind === "string";
}
