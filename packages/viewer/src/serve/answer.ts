import type { IncomingMessage, ServerResponse } from "node:http";

/** Answers JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "content-length": bytes.length });
  response.end(bytes);
}

/** Refuses: what was expected, what came, what to do. What is still being sent is not read. */
export function refuse(request: IncomingMessage, response: ServerResponse, status: number, error: string): void {
  if (!request.complete) response.setHeader("connection", "close");
  sendJson(response, status, { error });
}

/** A body of at most so many bytes; undefined where there are more. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}
