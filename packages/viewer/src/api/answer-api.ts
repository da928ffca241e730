import type { Store } from "../store/open-store.js";
import type { Problem } from "./answers.js";
import { answerCaches } from "./caches.js";
import { answerFindings, muteFinding } from "./findings.js";
import { answerMetric } from "./metric.js";
import { answerMetrics } from "./metrics.js";
import { answerNow } from "./now.js";
import { answerQueries } from "./queries.js";
import { answerQuery } from "./query.js";
import { answerRequests } from "./requests.js";
import { answerPools } from "./pools.js";
import { ProblemError } from "./problem-error.js";
import { answerTrace } from "./trace.js";

export interface Answer {
  readonly status: number;
  /** To be sent as JSON. */
  readonly body: object;
}

/** `rest` is what the path has behind the name. */
type Page = (store: Store, url: URL, nowMs: number, rest: string) => object;

const PAGES: Readonly<Record<string, Page>> = {
  now: answerNow,
  findings: answerFindings,
  queries: answerQueries,
  caches: answerCaches,
  pools: answerPools,
  metrics: answerMetrics,
  requests: answerRequests,
};
/** Those that are about one thing, named by the end of the path. */
const DETAILS: Readonly<Record<string, Page>> = {
  trace: answerTrace,
  metric: answerMetric,
  query: answerQuery,
};

/**
 * Answers `GET /api/…` and `POST /api/findings/:id/mute` from what is kept. `url`: path and query; `body`: as it came. Undefined where
 * there is no such path (`/api/live`, `/api/status` and Jaeger's are answered elsewhere). Wrong parameters are a 400 that says what to do.
 */
export function answerApi(
  store: Store,
  method: string,
  url: string | URL,
  body?: string,
  nowMs: number = Date.now(),
): Answer | undefined {
  const parsed = new URL(url, "http://localhost");
  try {
    return route(store, method, parsed, body, nowMs);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return problem(error.status, error.message);
  }
}

function route(store: Store, method: string, url: URL, body: string | undefined, nowMs: number): Answer | undefined {
  const [empty, api, name = "", ...rest] = url.pathname.split("/").map(decode);
  if (empty !== "" || api !== "api") return undefined;
  if (name === "findings" && rest.length === 2 && rest[1] === "mute") {
    if (method !== "POST") return wrongMethod("POST", method, url);
    return { status: 200, body: muteFinding(store, rest[0] ?? "", body) };
  }
  const pages = rest.length === 0 ? PAGES : rest.length === 1 && rest[0] !== "" ? DETAILS : {};
  const page = Object.hasOwn(pages, name) ? pages[name] : undefined;
  if (page === undefined) return undefined;
  if (method !== "GET" && method !== "HEAD") return wrongMethod("GET", method, url);
  return { status: 200, body: page(store, url, nowMs, rest[0] ?? "") };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ProblemError(400, "the path has a % that no two hexadecimal digits follow: encode it as %25");
  }
}

function wrongMethod(expected: string, method: string, { pathname }: URL): Answer {
  return problem(405, `${pathname}: expected ${expected}, got ${method.slice(0, 20)}`);
}

function problem(status: number, error: string): Answer {
  const body: Problem = { error };
  return { status, body };
}
