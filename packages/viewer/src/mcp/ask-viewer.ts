import { isRecord } from "./json-rpc.js";

/** Asks the viewer's API: a path of segments, and what is asked for; undefined values are left out. */
export type Ask = (
  path: readonly string[],
  query: Readonly<Record<string, string | number | boolean | undefined>>,
) => Promise<unknown>;

const TIMEOUT_MS = 15_000;

/** Why there is no answer, and what to do about it. */
export class NoAnswerError extends Error {}

/** @throws NoAnswerError, also where what answers is no viewer, or the viewer refuses. */
export function createAsk(viewerUrl: string) {
  const start =
    `Start one with "npx telltale viewer", or the program under it with "npx telltale dev app.js", then ask again; ` +
    `another address is given as "npx telltale mcp --url http://localhost:4319".`;
  return async (...[path, query, signal]: [...Parameters<Ask>, AbortSignal]): Promise<unknown> => {
    const url = new URL(`/api/${path.map(encodeURIComponent).join("/")}`, viewerUrl);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    let response: Response;
    try {
      response = await fetch(url, {
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
    } catch (error) {
      if (error instanceof Error && error.name === "TimeoutError") {
        throw new NoAnswerError(
          `The viewer at ${viewerUrl} has not answered within ${TIMEOUT_MS / 1000} s. Ask again.`,
        );
      }
      throw new NoAnswerError(`No viewer answers at ${viewerUrl}. ${start}`);
    }
    const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
    const body: unknown = isJson ? await response.json().catch(() => undefined) : undefined;
    if (!isJson) await response.body?.cancel();
    if (!isRecord(body)) throw new NoAnswerError(`What answers at ${viewerUrl} is no viewer. ${start}`);
    if (!response.ok) {
      const { error } = body;
      throw new NoAnswerError(typeof error === "string" ? error : `The viewer answered ${response.status}.`);
    }
    return body;
  };
}
