import { limitOf } from "@telltale/core";

/** What replaces a secret, as the conventions say. */
const REDACTED = "REDACTED";

/**
 * Names, reduced to lower-case letters and digits, whose values are secrets: those of the conventions
 * (https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/) and what applications commonly use.
 */
const SECRETS = new Set(
  (
    "sig key auth authorization pass passwd pwd passphrase jwt otp pin session sessionid sid apikey accesskey privatekey " +
    "xamzcredential awsaccesskeyid credentials"
  ).split(" "),
);
/** The same with anything before them: `user[password]`, `client_secret`, `X-Goog-Signature`. */
const SECRET_ENDING = /(?:token|secret|password|signature|apikey|accesskeyid)$/;

/** A query string (without `?`) whose secrets are replaced; their names stay. */
export function redactQuery(query: string): string {
  let redacted = "";
  let start = 0;
  while (start <= query.length) {
    let end = query.indexOf("&", start);
    if (end < 0) end = query.length;
    const equals = query.indexOf("=", start);
    const hasValue = equals >= 0 && equals < end;
    if (hasValue && isSecret(query.slice(start, equals))) redacted += query.slice(start, equals + 1) + REDACTED;
    else redacted += query.slice(start, end);
    if (end < query.length) redacted += "&";
    start = end + 1;
  }
  return redacted;
}

/** Answers for names seen before: a program has few of them (0.5 µs each without). */
const judged = new Map<string, boolean>();
const MAX_JUDGED = 1000;
const unkept = limitOf("http.query_names");

function isSecret(name: string): boolean {
  let secret = judged.get(name);
  if (secret === undefined) {
    const reduced = decode(name)
      .toLowerCase()
      .replace(/[^a-z0-9]/g, "");
    secret = SECRETS.has(reduced) || SECRET_ENDING.test(reduced);
    if (judged.size < MAX_JUDGED && name.length <= 64) judged.set(name, secret);
    else unkept.total += 1;
  }
  return secret;
}

function decode(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The path and the query of a request's target, secrets replaced; the target is a path, a whole URL, `*` or `host:port`. */
export function splitTarget(target: string): { path: string; query: string | undefined } {
  if (!target.startsWith("/")) {
    const url = URL.parse(target);
    if (url !== null && url.host !== "") target = url.pathname + url.search;
  }
  const hash = target.indexOf("#");
  if (hash >= 0) target = target.slice(0, hash);
  const mark = target.indexOf("?");
  if (mark < 0) return { path: target, query: undefined };
  const query = target.slice(mark + 1);
  return { path: target.slice(0, mark), query: query === "" ? undefined : redactQuery(query) };
}

/** `url.full` of a request to an origin: a target that is a whole URL (to a proxy) stands for itself, without credentials. */
export function fullUrl(origin: string, target: string): string {
  if (!target.startsWith("/")) {
    const url = URL.parse(target);
    // `example.com:443`, the target of CONNECT, parses as a URL without a host.
    if (url === null || url.host === "") return origin;
    const user = url.username + url.password === "" ? "" : `${REDACTED}:${REDACTED}@`;
    return fullUrl(`${url.protocol}//${user}${url.host}`, url.pathname + url.search);
  }
  const { path, query } = splitTarget(target);
  return query === undefined ? origin + path : `${origin}${path}?${query}`;
}

/** A `Location` as `fullUrl` would write the request that follows it. */
export function resolveUrl(location: string, base: string): string | undefined {
  const url = URL.parse(location, base);
  return url === null || url.host === ""
    ? undefined
    : fullUrl(`${url.protocol}//${url.host}`, url.pathname + url.search);
}

/** `host[:port]` as a Host header has it. */
export interface Authority {
  readonly address: string | undefined;
  readonly port: number | undefined;
}

const NOBODY: Authority = { address: undefined, port: undefined };
let lastText = "";
let lastAuthority = NOBODY;

/** What a Host header names; nothing of it is taken when it is not a plain host name or address. */
export function parseAuthority(text: string | undefined): Authority {
  if (text === undefined) return NOBODY;
  // Nearly always the same as for the request before.
  if (text === lastText) return lastAuthority;
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9_.-]{1,253}))(?::([0-9]{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  const valid = match !== null && (port === undefined || port <= 65_535);
  lastAuthority = valid ? { address: match[1] ?? match[2], port } : NOBODY;
  lastText = text;
  return lastAuthority;
}
