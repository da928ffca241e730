import type { Problem } from "@telltale/viewer";
import type { Content } from "./render.js";
import type { Section } from "./sections.js";

const LIMIT_MS = 5_000;
const MAX_BYTES = 20_000_000;

/** Asks a viewer; what goes wrong is said in place of the rows. */
export async function readSection(section: Section, url: string, minutes: number): Promise<Content> {
  let answer: Response;
  let body: unknown;
  try {
    answer = await fetch(`${url}${section.path(minutes)}`, {
      signal: AbortSignal.timeout(LIMIT_MS),
      redirect: "error",
    });
    if (Number(answer.headers.get("content-length") ?? 0) > MAX_BYTES)
      throw new Error("an answer too long to be shown");
    body = await answer.json();
  } catch (error) {
    return {
      problem: `No viewer answers at ${url} (${reasonOf(error)}). Start one: telltale dev app.js, or telltale viewer`,
    };
  }
  if (!answer.ok) return { problem: (body as Partial<Problem> | null)?.error ?? `${url} answered ${answer.status}` };
  try {
    return { rows: section.rows(body) };
  } catch {
    return { problem: `${url} answers what no viewer of this version does: is it the one that was meant?` };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error as { cause?: { code?: unknown } };
  return String(cause?.code ?? error.message);
}
