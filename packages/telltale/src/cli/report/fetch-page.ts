import { get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import { FINDINGS_PATH, type FindingsPage, FORMAT } from "../../findings/page.js";
import { UsageError } from "../command.js";
import { plain } from "./plain-text.js";

export const DEFAULT_PORT = 9464;
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 8 * 1024 * 1024;

/** Where the findings are, of what somebody would write for the endpoint. */
export function findingsUrl(given: string | undefined, port: string | undefined): URL {
  const text = given ?? (/^[1-9]\d*$/.test(port ?? "") ? `${port}` : String(DEFAULT_PORT));
  const address = /^\d+$/.test(text) ? `127.0.0.1:${text}` : text;
  const whole = /^[a-z]+:\/\//i.test(address) ? address : `http://${address}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new UsageError(`url must be that of an endpoint such as http://127.0.0.1:9464/metrics, got ${plain(text)}`);
  }
  if (url.pathname === "/" || url.pathname === "/metrics") url.pathname = FINDINGS_PATH;
  return url;
}

/** An address as it may be shown: a password is in front of the host, a token behind the path. */
export function shownUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

/** Reads the page; every way in which that fails says what to do. */
export async function fetchPage(url: URL): Promise<FindingsPage> {
  const { status, type, text } = await read(url);
  const first = plain(text.split("\n", 1)[0] ?? "").slice(0, 200);
  if (status === 403) throw new UsageError(`${shownUrl(url)} refused: ${first}`);
  const page = type.startsWith("application/json") ? parse(text) : undefined;
  if (status === 200 && isPage(page)) return page;
  if (status === 404 && text.startsWith("Metrics are at")) {
    throw new UsageError(
      `${url.host} has metrics and no findings: its metrics.findings is "none", or its Telltale is older than this`,
    );
  }
  const found = (page as { telltale?: unknown } | undefined)?.telltale === "findings";
  if (found) throw new UsageError(`${url.host} has a newer Telltale than this: use the telltale of that service`);
  throw new UsageError(`${url.host} is no endpoint of Telltale: ${shownUrl(url)} answered ${status} ${type}`.trimEnd());
}

function read(url: URL): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === "https:" ? getHttps : getHttp;
    const request = get(url, { headers: { accept: "application/json" }, agent: false }, (response) => {
      collect(response).then(
        (text) =>
          resolve({ status: response.statusCode ?? 0, type: plain(response.headers["content-type"] ?? ""), text }),
        (error: unknown) => reject(new UsageError(explain(url, error))),
      );
    });
    const timer = setTimeout(() => request.destroy(new Error("it did not answer within 10 s")), TIMEOUT_MS);
    request.on("error", (error) => reject(new UsageError(explain(url, error)))).on("close", () => clearTimeout(timer));
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BYTES) throw new Error(`it answered more than ${MAX_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function explain(url: URL, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") {
    return `nothing listens on ${url.host}: is the service running, and watched by telltale/register? Its first line on stderr says where its metrics are; under telltale dev they are in the viewer (telltale top)`;
  }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `there is no host ${url.hostname}`;
  return `${url.host} cannot be read: ${plain(message)}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isPage(value: unknown): value is FindingsPage {
  const page = (value ?? {}) as Partial<FindingsPage>;
  return page.telltale === "findings" && page.format === FORMAT && isList(page.findings) && isList(page.queries);
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "object" && one !== null);
}
