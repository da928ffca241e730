import { request } from "node:http";

/** A request of the OTLP protocol. */
export interface Post {
  /** What it is, for who reads of a failure. */
  readonly what: string;
  readonly path: string;
  readonly type: string;
  readonly body: Uint8Array;
  readonly encoding?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export function json(path: string, what: string, body: unknown): Post {
  return { what, path, type: "application/json", body: Buffer.from(JSON.stringify(body)) };
}

/** Sends it, and waits for the answer; -1 as status where the connection was cut instead. */
export function send(base: string, post: Post): Promise<Answer> {
  const { path, type, encoding, body } = post;
  return ask(base, path, {
    method: "POST",
    headers: {
      "content-type": type,
      ...(encoding !== undefined && { "content-encoding": encoding }),
      "content-length": String(body.length),
    },
    body,
  });
}

/** A request with what fetch() would not let through: any path as it is, any Host, any Origin. */
export function ask(
  base: string,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: Uint8Array } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: hostname,
        port,
        path,
        method: options.method ?? "GET",
        headers: options.headers ?? {},
        agent: false,
        setHost: options.headers?.["host"] === undefined,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
        response.on("error", reject);
      },
    );
    asked.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") resolve({ status: -1, headers: {}, text: error.code });
      else reject(error);
    });
    asked.end(options.body);
  });
}
