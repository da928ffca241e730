import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addListener, type Finding } from "@telltale/core";
import { rememberSites } from "./remember-sites.js";

/**
 * The reporter of a test runner and the tests run in different processes, which both vitest and Jest start with the environment of the
 * first: it names the file to which findings are appended, a line each.
 */
const VARIABLE = "TELLTALE_TEST_FINDINGS";

/** A finding and the test file it was made in, as the reporter reads it. */
export interface ReportedFinding extends Finding {
  readonly testFile?: string | undefined;
}

/** Hands what is found in this process from now on to the reporter, if there is one. The result ends it. */
export function handFindings(testFile?: () => string | undefined): () => void {
  const file = process.env[VARIABLE];
  if (file === undefined) return () => {};
  const sites = rememberSites();
  const stop = addListener({
    name: "testkit reporter",
    findingMade(finding) {
      const line = JSON.stringify({ ...finding, callSite: sites.of(finding), testFile: testFile?.() });
      appendFileSync(file, `${line}\n`);
    },
  });
  return () => {
    stop();
    sites.stop();
  };
}

export interface FindingChannel {
  /** What has come since the last time. */
  take(): ReportedFinding[];
  close(): void;
}

/** For the reporter: before the first process of tests starts. */
export function openChannel(): FindingChannel {
  const folder = mkdtempSync(join(tmpdir(), "telltale-findings-"));
  const file = join(folder, "findings.jsonl");
  process.env[VARIABLE] = file;
  return {
    take() {
      if (!existsSync(file)) return [];
      const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
      rmSync(file);
      return lines.map((line) => JSON.parse(line) as ReportedFinding);
    },
    close() {
      delete process.env[VARIABLE];
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
