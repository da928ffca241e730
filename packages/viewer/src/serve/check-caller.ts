import type { IncomingMessage } from "node:http";

const LOOPBACK_NAMES: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** What browsers say of where a request is from: a page of ours, or somebody who has typed the address. */
const OWN_SITES: ReadonlySet<string> = new Set(["same-origin", "none"]);

/**
 * Why a request is refused, or undefined. A page of the web can have a browser ask this machine under a name of its own (DNS rebinding),
 * and post to it from anywhere: so it must have been asked for by a name of ours, and a page that asks must be one of ours.
 */
export function checkCaller(request: IncomingMessage, host: string | undefined): string | undefined {
  const { host: asked = "", origin, "sec-fetch-site": site } = request.headers;
  const name = nameOf(asked);
  if (!isOurs(name, host)) {
    const names = [...LOOPBACK_NAMES, ...(host === undefined || isAny(host) ? [] : [host])].join(", ");
    return `the Host header must be one of ${names}, got ${quote(asked)}: other names could be a web page's way around the browser's rules; open the viewer by one of these names, or start it with --host`;
  }
  // Both come from browsers only, and no page can change them.
  if (origin !== undefined && origin !== `http://${asked}`) {
    return `the Origin header must be http://${asked}, got ${quote(origin)}: only the viewer's own pages may ask`;
  }
  if (site !== undefined && !OWN_SITES.has(String(site)) && request.headers["sec-fetch-mode"] !== "navigate") {
    return "another page asks: only the viewer's own pages may, and people who follow a link";
  }
  return undefined;
}

function isOurs(name: string, host: string | undefined): boolean {
  if (LOOPBACK_NAMES.includes(name)) return true;
  if (host === undefined) return false;
  // Told to listen everywhere, it cannot know by which addresses it is reached; names are still none of ours.
  return isAny(host) ? isAddress(name) : name === host.toLowerCase() || name === `[${host.toLowerCase()}]`;
}

function isAny(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function isAddress(name: string): boolean {
  return /^(\d{1,3}\.){3}\d{1,3}$/.test(name) || /^\[[\da-f:.]+\]$/.test(name);
}

/** Without its port, in lower case. */
function nameOf(host: string): string {
  return host.toLowerCase().replace(/:\d{1,5}$/, "");
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
