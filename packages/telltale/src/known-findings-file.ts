import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type KnownFinding, readKnownFindings, say } from "@telltale/core";

const NAME = "telltale.todo.json";

/** The findings that are accepted by a file of the working directory. What is wrong with it is said in one line: what it does not accept is told. */
export function readKnownFindingsFile(path: string | undefined): readonly KnownFinding[] {
  const name = path ?? NAME;
  let text: string;
  try {
    text = readFileSync(resolve(name), "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (path !== undefined || code !== "ENOENT")
      say("error", `${name} cannot be read: ${message}; no finding is accepted`);
    return [];
  }
  const { findings, problems } = readKnownFindings(text);
  if (problems.length > 0) {
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    say("error", `${name}: ${problems[0]}${more}; entries used: ${findings.length}, all other findings are told`);
  }
  return findings;
}

/** Says, to who wants to hear it, which accepted findings have not occurred. */
export function sayUnseen(unseen: readonly KnownFinding[]): void {
  if (unseen.length === 0) return;
  const names = unseen
    .slice(0, 10)
    .map(({ kind, endpoint, title, fingerprint }) => title ?? `${kind} ${endpoint ?? fingerprint}`);
  const more = unseen.length > names.length ? ` and ${unseen.length - names.length} more` : "";
  say("debug", `accepted findings that did not occur: ${names.join("; ")}${more}`);
}
