import { PassThrough } from "node:stream";
import { serveMcp } from "../../src/mcp/serve-mcp.js";

export interface Message {
  readonly jsonrpc: string;
  readonly id?: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** Sends what is given, ends the input, and reads all that came back: one message a line, and nothing else. */
export async function talk(viewerUrl: string, ...sent: readonly (string | Buffer | object)[]): Promise<Message[]> {
  const input = new PassThrough();
  const output = new PassThrough();
  let text = "";
  output.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const served = serveMcp({ input, output, viewerUrl });
  for (const one of sent) {
    input.write(typeof one === "string" || Buffer.isBuffer(one) ? one : `${JSON.stringify(one)}\n`);
  }
  input.end();
  await served;
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Message);
}

export function request(method: string, params?: object, id: string | number = 1): object {
  return { jsonrpc: "2.0", id, method, ...(params !== undefined && { params }) };
}

export function call(name: string, input: object = {}): object {
  return request("tools/call", { name, arguments: input });
}
