import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { refuse } from "./answer.js";
import { checkCaller } from "./check-caller.js";
import { setHeaders } from "./headers.js";
import type { Live } from "./live.js";
import { inLine } from "./one-by-one.js";
import { answerPage, type Pages } from "./pages.js";

/** Different failures that are told. */
const MAX_SAID = 20;

/** Answers a request, or says that it is not for it. */
export type Part = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean>;

export interface Parts {
  /** `POST /v1/traces`, `/v1/metrics`, `/v1/logs`. */
  readonly receive: Part;
  /** `/api/…` */
  readonly api: Part;
  readonly live: Live;
  /** Undefined where they are not built. */
  readonly pages: Pages | undefined;
}

/** What listens on the port of the pages: those, the API, and OTLP as well. */
export function handleAll(parts: Parts, host: string | undefined): RequestListener {
  return guard(host, async (request, response, url) => {
    if (url.pathname === "/api/live" && request.method === "GET") {
      parts.live.answer(request, response);
      return;
    }
    const part = partOf(url.pathname, parts);
    if (part !== undefined) {
      if (await part(request, response, url)) return;
      refuse(
        request,
        response,
        404,
        `there is no ${request.method} ${url.pathname}; docs/viewer.md says what there is`,
      );
      return;
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      refuse(request, response, 405, `expected GET, got ${request.method}`);
      return;
    }
    if (parts.pages === undefined) refuse(request, response, 503, "the pages are not built: npm run build");
    else if (!answerPage(parts.pages, url.pathname, request, response))
      refuse(request, response, 404, "there is no such file");
  });
}

function partOf(path: string, { api, receive }: Parts): Part | undefined {
  return path.startsWith("/api/") ? api : path.startsWith("/v1/") ? receive : undefined;
}

/** What listens on OTLP's port. */
export function handleOtlpOnly(receive: Part, host: string | undefined): RequestListener {
  return guard(host, async (request, response, url) => {
    if (await receive(request, response, url)) return;
    const expected = "POST /v1/traces, /v1/metrics or /v1/logs";
    refuse(request, response, 404, `this port takes OTLP: expected ${expected}, got ${request.method} ${url.pathname}`);
  });
}

function guard(
  host: string | undefined,
  answer: (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>,
): RequestListener {
  const say = createSayOnce();
  return (request, response) => {
    setHeaders(response);
    // Whoever sends may go while it is answered.
    request.on("error", () => {});
    response.on("error", () => {});
    const wrong = checkCaller(request, host);
    if (wrong !== undefined) {
      refuse(request, response, 403, wrong);
      return;
    }
    const url = parse(request.url ?? "/");
    if (url === undefined) {
      refuse(request, response, 400, "the address cannot be read: expected a path such as /api/status");
      return;
    }
    const failed = (error: unknown): void => {
      // Whoever asked is gone, or the viewer ends.
      if (response.destroyed) return;
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
      if (response.headersSent) response.destroy();
      else refuse(request, response, 500, "the viewer failed at this; its own output says how");
    };
    inLine(request, response, () => void answer(request, response, url).catch(failed));
  };
}

/** Stderr may be that of the program that is watched, and pages ask each second: what is known is not said again. */
function createSayOnce(): (text: string) => void {
  const said = new Set<string>();
  return (text) => {
    if (said.size >= MAX_SAID || said.has(text)) return;
    said.add(text);
    // A message may quote what was received: nothing in it is to act on a terminal.
    process.stderr.write(`telltale: ${text.replaceAll(/[^\P{C}\n]/gu, "\ufffd")} (said once)\n`);
  };
}

function parse(target: string): URL | undefined {
  try {
    return target.startsWith("/") ? new URL(`http://localhost${target}`) : undefined;
  } catch {
    return undefined;
  }
}
