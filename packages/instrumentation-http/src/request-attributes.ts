import { isIP } from "node:net";
import type { HttpClientStart, HttpServerStart } from "@telltale/core";
import { peerAddressOf } from "./peer-address.js";
import { fullUrl, parseAuthority, splitTarget } from "./url.js";

/** The methods of RFC 9110, PATCH and QUERY: what the conventions call known, and what may be a label. */
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"]);

/** `http.request.method`, and the original where that is not a known one. */
export function describeMethod(method: string): { method: string; originalMethod: string | undefined } {
  return METHODS.has(method) ? { method, originalMethod: undefined } : { method: "_OTHER", originalMethod: method };
}

/** What is used of an incoming message. */
export interface Incoming {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly headers: Readonly<NodeJS.Dict<string | string[]>> & {
    readonly host?: string | undefined;
    readonly "user-agent"?: string | undefined;
    readonly forwarded?: string | undefined;
  };
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** What an incoming request says of itself; `trustForwarded` believes what proxies have said of it. */
export class IncomingDescription implements HttpServerStart {
  readonly method: string;
  readonly originalMethod: string | undefined = undefined;
  readonly scheme: "http" | "https";
  readonly path: string;
  readonly query: string | undefined;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
  readonly clientAddress: string | undefined;
  readonly userAgent: string | undefined;
  readonly protocolVersion: string;

  constructor(message: Incoming, trustForwarded: boolean, host = message.headers.host) {
    const { headers, socket, method = "", url = "" } = message;
    const isKnown = METHODS.has(method);
    this.method = isKnown ? method : "_OTHER";
    if (!isKnown) this.originalMethod = method;
    this.scheme = (trustForwarded ? forwardedScheme(message) : undefined) ?? ("encrypted" in socket ? "https" : "http");
    const isPath = url.startsWith("/") && !url.includes("?") && !url.includes("#");
    const { path, query } = isPath ? PLAIN : splitTarget(url);
    this.path = isPath ? url : path;
    this.query = query;
    const { address, port } = parseAuthority((trustForwarded ? forwarded(message, "host") : undefined) ?? host);
    this.serverAddress = address;
    this.serverPort = port;
    this.clientAddress = (trustForwarded ? forwardedClient(message) : undefined) ?? peerAddressOf(socket);
    this.userAgent = headers["user-agent"];
    this.protocolVersion = message.httpVersion;
  }
}

const PLAIN = { path: "", query: undefined };

/** What the proxy next to the client said of the request: by RFC 7239, else in `X-Forwarded-…`. */
function forwarded({ headers }: Incoming, what: "for" | "host" | "proto"): string | undefined {
  const [standard = ""] = headers.forwarded?.split(",", 1) ?? [];
  for (const pair of standard.split(";")) {
    const [name, value] = pair.split("=", 2);
    if (name?.trim().toLowerCase() === what) return value?.trim().replaceAll('"', "");
  }
  const usual = headers[`x-forwarded-${what}`];
  return (Array.isArray(usual) ? usual[0] : usual)?.split(",", 1)[0]?.trim();
}

function forwardedScheme(message: Incoming): "http" | "https" | undefined {
  const said = forwarded(message, "proto")?.toLowerCase();
  return said === "http" || said === "https" ? said : undefined;
}

/** An address only: what proxies say instead (`unknown`, `_hidden`) is no client. */
function forwardedClient(message: Incoming): string | undefined {
  const said = forwarded(message, "for");
  if (said === undefined || isIP(said) !== 0) return said;
  const { address } = parseAuthority(said);
  return address !== undefined && isIP(address) !== 0 ? address : undefined;
}

/** Where a request is sent. */
export interface Outgoing {
  readonly method: string;
  readonly protocol: string;
  /** Without brackets. */
  readonly host: string;
  /** Undefined where it is not known. */
  readonly port: number | undefined;
  /** Path with query; a whole URL for a proxy. */
  readonly path: string;
  readonly socketPath?: string | undefined;
}

export function defaultPort(protocol: string): number {
  return protocol === "https:" ? 443 : 80;
}

/** The parts of an origin. */
export function partsOf(origin: string | URL): { protocol: string; host: string; port: number } {
  const { protocol, hostname, port } = new URL(origin);
  return {
    protocol,
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? defaultPort(protocol) : Number(port),
  };
}

/** `scheme://host[:port]`, as a URL's. */
export function originOf(protocol: string, host: string, port: number | undefined): string {
  const bracketed = host.includes(":") ? `[${host}]` : host;
  const suffix = port === undefined || port === defaultPort(protocol) ? "" : `:${port}`;
  return `${protocol}//${bracketed}${suffix}`;
}

export function describeOutgoing({ protocol, host, port, path, socketPath, ...rest }: Outgoing): HttpClientStart {
  const { method, originalMethod } = describeMethod(rest.method);
  return {
    method,
    originalMethod,
    url: fullUrl(originOf(protocol, host, port), path),
    serverAddress: socketPath ?? host,
    serverPort: socketPath === undefined ? port : undefined,
  };
}
