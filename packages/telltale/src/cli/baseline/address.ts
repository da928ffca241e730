import { UsageError } from "../command.js";

const TIMEOUT_MS = 30_000;
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Reads an address; a user and password in it are sent as such, and never shown.
 *
 * @throws UsageError with the option, what it leads to, and what is wrong there.
 */
export async function readAddress(
  option: string,
  address: URL,
  accept: string,
): Promise<{ body: string; isOk: boolean }> {
  const url = new URL(address);
  const { username, password } = url;
  url.username = url.password = "";
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64");
  const headers = { accept, ...(username !== "" && { authorization: `Basic ${credentials}` }) };
  const shown = `${url.origin}${url.pathname}`;
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const body = await response.text();
    if (body.length > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    const isJson = response.headers.get("content-type")?.includes("json") === true;
    if (!response.ok && !isJson) throw new Error(`${response.status} ${response.statusText}`.trim());
    return { body, isOk: response.ok };
  } catch (error) {
    throw new UsageError(`--${option}: ${shown} cannot be read: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error as { cause?: unknown };
  // An AggregateError has a code and no message.
  if (cause instanceof Error) return cause.message || String((cause as { code?: unknown }).code);
  return error.message;
}
