import { JaegerError } from "./jaeger-error.js";

/**
 * The 32 digits that are kept, of what Jaeger takes: up to 32 hexadecimal digits, those in front left out where they are 0, or base64 of 8 or
 * 16 bytes (`TraceIDFromString` in its api_v3 gateway).
 */
export function readTraceId(text: string, parameter?: string): string {
  if (/^[0-9a-f]{1,32}$/i.test(text)) return text.toLowerCase().padStart(32, "0");
  const say = (problem: string) => new JaegerError(400, problem, parameter);
  if (text.length > 32) throw say(`TraceID cannot be longer than 32 hex characters: ${text.slice(0, 100)}`);
  if (/^[\w+/-]{11,22}={0,2}$/.test(text) && text.length <= 24) {
    const bytes = Buffer.from(text, "base64url");
    if (bytes.length === 8 || bytes.length === 16) return bytes.toString("hex").padStart(32, "0");
  }
  throw say(`strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** As Jaeger's own JSON writes it: 16 digits where the first 16 of 32 are 0. */
export function showTraceId(id: string): string {
  return /^0{16}[0-9a-f]{16}$/.test(id) ? id.slice(16) : id;
}
