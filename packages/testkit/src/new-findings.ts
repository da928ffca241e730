import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import {
  createKnownFindings,
  type FindingKind,
  type KnownFinding,
  readKnownFindings,
  writeKnownFindings,
} from "@telltale/core";
import { describeFinding } from "./expectations.js";
import { openChannel, type ReportedFinding } from "./finding-channel.js";
import { toAnnotation } from "./github-annotations.js";
import { shortPath } from "./query-list.js";

export interface FindingsReporterOptions {
  /** The findings that are known. Default: `telltale.todo.json` in the folder that the tests run in. */
  readonly todo?: string;
  /** Adds what is new to that file instead of failing. Default false. */
  readonly update?: boolean;
  /** What fails a run. Default: what repeats in a request, `n_plus_one`, `duplicate_query`, `repeated_http_call` and `repeated_lookup`. */
  readonly kinds?: readonly FindingKind[];
  /** Whether to write annotations for GitHub. Default: where `GITHUB_ACTIONS` is `true`. */
  readonly github?: boolean;
  /** Where it writes. Default: stdout. */
  readonly print?: (text: string) => void;
}

const REPEATS: readonly FindingKind[] = ["n_plus_one", "duplicate_query", "repeated_http_call", "repeated_lookup"];

/** What the reporters for vitest and Jest have in common. */
export interface RunOfTests {
  /** Says what is new. True if the run is to fail. */
  end(): boolean;
}

/** Hears the findings of a run of tests. To be called before the first process of tests starts. */
export function watchTests(options: FindingsReporterOptions = {}): RunOfTests {
  const {
    todo = "telltale.todo.json",
    update = false,
    kinds = REPEATS,
    github = process.env["GITHUB_ACTIONS"] === "true",
    print = (text) => void process.stdout.write(`${text}\n`),
  } = options;
  const file = resolve(todo);
  const channel = openChannel();
  return {
    end() {
      const found = channel.take().filter(({ kind }) => kinds.includes(kind));
      channel.close();
      const before = readTodo(file);
      const known = createKnownFindings(before);
      const all = onceEach(found);
      const fresh = all.filter((finding) => finding.accepted !== true && !known.accepts(finding));
      const accepted = all.length - fresh.length;
      if (fresh.length === 0) {
        if (accepted > 0) print(`Telltale: nothing new was found; ${accepted} known in ${todo}`);
        return false;
      }
      if (update) {
        writeFileSync(file, writeKnownFindings(fresh, before));
        print(`Telltale: ${fresh.length} added to ${todo}`);
        return false;
      }
      print(`Telltale: ${fresh.length} new${accepted > 0 ? `, ${accepted} known in ${todo}` : ""}`);
      for (const finding of fresh) {
        print(
          describeFinding(finding) +
            (finding.testFile === undefined ? "" : `\n    found by ${shortPath(finding.testFile)}`),
        );
        if (github) print(toAnnotation(finding, process.env["GITHUB_WORKSPACE"] ?? process.cwd()));
      }
      print(`Repair them, or accept them in ${todo}: the reporter's option "update" writes it.`);
      return true;
    },
  };
}

/** @throws Error where the file is there, and not what it should be. */
function readTodo(file: string): readonly KnownFinding[] {
  if (!existsSync(file)) return [];
  const { findings, problems } = readKnownFindings(readFileSync(file, "utf8"));
  if (problems.length > 0) throw new Error(`${file}: ${problems.join("; ")}`);
  return findings;
}

/** The first of each: with a place in the code, where any has one. */
function onceEach(findings: readonly ReportedFinding[]): ReportedFinding[] {
  const first = new Map<string, ReportedFinding>();
  for (const finding of findings) {
    const { kind, endpoint, fingerprint } = finding;
    const key = JSON.stringify([kind, endpoint, fingerprint]);
    const known = first.get(key);
    if (known === undefined || (known.callSite === undefined && finding.callSite !== undefined))
      first.set(key, finding);
  }
  return [...first.values()];
}
