import { styleText } from "node:util";
import { plain, wrap } from "../report/plain-text.js";
import type { Check, Status } from "./check.js";

const MARKS: Readonly<Record<Status, string>> = { ok: "✓", note: "·", warning: "▲", problem: "✗" };
const COLOURS = { ok: "green", note: "dim", warning: "yellow", problem: "red" } as const;
const LABEL = 11;

export interface Diagnosis {
  readonly title: string;
  readonly folder: string;
  readonly checks: readonly Check[];
}

/** For a person, as wide as the terminal from 60 to 100 columns; 80 where stdout is none. */
export function renderDiagnosis({ title, folder, checks }: Diagnosis): string {
  const width = Math.min(Math.max(process.stdout.columns ?? 80, 60), 100);
  const lines = checks.flatMap((check) => describe(check, width));
  return `\n${styleText("bold", plain(title))}\n${styleText("dim", plain(folder))}\n\n${lines.join("\n")}\n\n${conclude(checks)}\n\n`;
}

function describe({ subject, status, text, cure }: Check, width: number): string[] {
  const room = width - LABEL - 4;
  const [first = "", ...more] = wrap(plain(text), room);
  const indent = " ".repeat(LABEL + 4);
  const label = plain(subject);
  const head = ` ${styleText(COLOURS[status], MARKS[status])} `;
  const lines =
    label.length <= LABEL
      ? [`${head}${styleText(status === "ok" ? "reset" : "bold", label.padEnd(LABEL))} ${first}`]
      : [`${head}${styleText("bold", label)}`, `${indent}${first}`];
  const cures = cure === undefined ? [] : wrap(plain(cure), room - 2);
  return [
    ...lines,
    ...more.map((line) => indent + line),
    ...cures.map((line, n) => `${indent}${styleText("cyan", `${n === 0 ? "→" : " "} ${line}`)}`),
  ];
}

function conclude(checks: readonly Check[]): string {
  const count = (status: Status, word: string): string[] => {
    const many = checks.filter((check) => check.status === status).length;
    return many === 0 ? [] : [`${many} ${word}${many === 1 ? "" : "s"}`];
  };
  const found = [...count("problem", "problem"), ...count("warning", "warning")];
  return styleText("bold", found.length === 0 ? "Nothing is in the way." : found.join(", "));
}
