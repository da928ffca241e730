import { url as expectUrl } from "../../config/schema.js";
import { UsageError } from "../command.js";

const DEFAULT_URL = "http://localhost:4319";

/** Where a viewer runs: what is given as a URL, host and port, or port. */
export function readViewerUrl(text = DEFAULT_URL): string {
  const address = /^\d+$/.test(text) ? `localhost:${text}` : text;
  const url = /^[\w.-]+:\d+$/.test(address) ? `http://${address}` : address;
  if (expectUrl(url) === undefined) return new URL(url).origin;
  throw new UsageError(`--url must be the address of a viewer such as ${DEFAULT_URL}, got ${JSON.stringify(text)}`);
}
