import type { HttpClientStart, HttpServerStart } from "@telltale/core";

/** https://opentelemetry.io/docs/specs/semconv/http/http-spans/: methods that may be a label. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"]);

/** `http.request.method`, and the original where that is not a known one. */
export function describeMethod(method: string): { method: string; originalMethod: string | undefined } {
  if (METHODS.has(method)) return { method, originalMethod: undefined };
  const upper = method.toUpperCase();
  return { method: METHODS.has(upper) ? upper : "_OTHER", originalMethod: method.slice(0, 64) };
}

/** Query parameters whose value is replaced: those of the convention, and the names that secrets usually go by. */
const SECRET =
  /(^|&)(awsaccesskeyid|signature|sig|x-goog-signature|x-amz-signature|x-amz-credential|x-amz-security-token|access_token|refresh_token|id_token|token|auth|authorization|api[_-]?key|apikey|secret|client_secret|password|passwd|pwd|code)=([^&]*)/gi;

/** A query string without secrets. */
export function redactQuery(query: string): string {
  return query.includes("=") ? query.replace(SECRET, "$1$2=REDACTED") : query;
}

/** What an incoming request says of itself. */
export interface IncomingFacts {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly headers: { readonly host?: string | undefined; readonly "user-agent"?: string | undefined };
  readonly encrypted: boolean;
  readonly remoteAddress: string | undefined;
  readonly localPort: number | undefined;
}

export function describeIncoming(facts: IncomingFacts): HttpServerStart {
  const { method, originalMethod } = describeMethod(facts.method ?? "GET");
  const scheme = facts.encrypted ? "https" : "http";
  const { path, query } = splitTarget(facts.url ?? "/");
  const { host, port } = splitHost(facts.headers.host);
  return {
    method,
    originalMethod,
    scheme,
    path,
    query,
    serverAddress: host,
    serverPort: host === undefined ? undefined : (port ?? (facts.encrypted ? 443 : 80)),
    clientAddress: facts.remoteAddress,
    userAgent: facts.headers["user-agent"]?.slice(0, 512),
    protocolVersion: facts.httpVersion,
  };
}

/** Path and query of a request target: origin form, absolute form (`GET http://host/path`), or `*`. */
function splitTarget(target: string): { path: string; query: string | undefined } {
  let from = 0;
  if (!target.startsWith("/") && target.includes("://")) {
    from = target.indexOf("/", target.indexOf("://") + 3);
    if (from < 0) return { path: "/", query: undefined };
  }
  const mark = target.indexOf("?", from);
  if (mark < 0) return { path: target.slice(from), query: undefined };
  const query = target.slice(mark + 1);
  return { path: target.slice(from, mark), query: query === "" ? undefined : redactQuery(query) };
}

/** A `Host` header, if it can be one. */
function splitHost(header: string | undefined): { host: string | undefined; port: number | undefined } {
  const match = header === undefined ? null : /^(\[[0-9a-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?$/i.exec(header);
  if (match === null) return { host: undefined, port: undefined };
  return { host: match[1]?.replace(/^\[|\]$/g, ""), port: match[2] === undefined ? undefined : Number(match[2]) };
}

/** What an outgoing request says of itself. */
export interface OutgoingFacts {
  readonly method: string;
  readonly protocol: string;
  readonly host: string;
  /** Undefined for the protocol's default. */
  readonly port: number | undefined;
  /** Path with query. */
  readonly path: string;
}

export function describeOutgoing(facts: OutgoingFacts): HttpClientStart {
  const { method, originalMethod } = describeMethod(facts.method);
  const defaultPort = facts.protocol === "https:" ? 443 : 80;
  const port = facts.port ?? defaultPort;
  const { path, query } = splitTarget(facts.path);
  const authority = facts.host.includes(":") ? `[${facts.host}]` : facts.host;
  const origin = `${facts.protocol}//${authority}${port === defaultPort ? "" : `:${port}`}`;
  return {
    method,
    originalMethod,
    url: `${origin}${path}${query === undefined ? "" : `?${query}`}`,
    serverAddress: facts.host,
    serverPort: port,
  };
}
