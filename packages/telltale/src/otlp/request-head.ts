import { isIP } from "node:net";

/** Where requests go, and what all of them begin with. */
export interface Target {
  readonly isSecure: boolean;
  readonly host: string;
  readonly port: number;
  /** Whom the certificate must name; empty for an IP address, which is then looked for itself. */
  readonly servername: string;
  /** All of the head but its length. */
  readonly head: string;
}

/** What all requests have in common. */
export interface RequestSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: "application/x-protobuf" | "application/json";
  readonly gzip: boolean;
  readonly userAgent: string;
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Throws where a request cannot be made of them. Headers are the user's, but for those that the payload decides, and `user-agent`. */
export function readTarget({ url, headers, contentType, userAgent, gzip }: RequestSettings): Target {
  const { protocol, host, hostname, port, pathname, search, username, password } = new URL(url);
  const isSecure = protocol === "https:";
  if (!isSecure && protocol !== "http:") throw new Error(`expected a URL of http: or https:, got "${protocol}"`);
  const fields = new Map<string, readonly [name: string, value: string]>();
  const set = (name: string, value: string): void => {
    if (!TOKEN.test(name)) throw new Error(`expected the name of a header, got ${JSON.stringify(name)}`);
    // Values may be secret.
    if (!FIELD_VALUE.test(value)) throw new Error(`the header "${name}" has a character that HTTP does not allow`);
    fields.set(name.toLowerCase(), [name, value]);
  };
  set("host", host);
  set("connection", "keep-alive");
  if (username !== "" || password !== "") {
    const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
    set("authorization", `Basic ${credentials.toString("base64")}`);
  }
  for (const [name, value] of Object.entries(headers)) set(name, value);
  set("content-type", contentType);
  set("user-agent", userAgent);
  if (gzip) set("content-encoding", "gzip");
  // How long a request is, is told by what sends it.
  fields.delete("content-length");
  fields.delete("transfer-encoding");
  const lines = [...fields.values()].map(([name, value]) => `${name}: ${value}\r\n`);
  return {
    isSecure,
    host: withoutBrackets(hostname),
    port: port === "" ? (isSecure ? 443 : 80) : Number(port),
    servername: servernameOf(fields.get("host")?.[1] ?? host),
    head: `POST ${pathname}${search} HTTP/1.1\r\n${lines.join("")}`,
  };
}

/** From the header, as node:https has it: a collector behind another address is asked for by its name. */
function servernameOf(header: string): string {
  const [name] = /^\[[^\]]*\]|^[^:]*/.exec(header) ?? [""];
  const host = withoutBrackets(name);
  return isIP(host) === 0 ? host : "";
}

function withoutBrackets(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}
