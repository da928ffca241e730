import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type MetricProducer, MetricReader } from "@opentelemetry/sdk-metrics";
import { serialize, type SerializeOptions } from "./serialize.js";

export interface PrometheusReaderOptions extends SerializeOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes a free one. Default 9464. */
  readonly port?: number;
  /** Ports tried one after the other, where the first is taken. Default 1. */
  readonly portsToTry?: number;
  /** Metrics beside those of the SDK. */
  readonly metricProducers?: readonly MetricProducer[];
  /** Told of the server before it listens, so that its requests are not counted as the app's. */
  readonly onServer?: (server: Server) => void;
}

/** What became of the endpoint. */
export type Listening = { readonly url: string } | { readonly error: string };

export interface PrometheusReader {
  /** For the SDK's MeterProvider. */
  readonly reader: MetricReader;
  /** Never rejects: without an endpoint the program runs on. */
  readonly listening: Promise<Listening>;
  /** Answers a scrape on a server of your own, whatever the path. */
  handler(request: IncomingMessage, response: ServerResponse): void;
}

const PATH = "/metrics";
const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const MAX_CONNECTIONS = 20;

/** A metric reader with an endpoint for Prometheus. Nothing of it keeps the process alive. */
export function createPrometheusReader(options: PrometheusReaderOptions = {}): PrometheusReader {
  const { host = "127.0.0.1", port = 9464, portsToTry = 1 } = options;
  const reader = new PullReader(options.metricProducers ?? []);

  function handler(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD", "content-type": "text/plain" }).end("metrics are read with GET\n");
      return;
    }
    reader.collect().then(
      ({ resourceMetrics }) => {
        const page = Buffer.from(serialize(resourceMetrics, options));
        response.writeHead(200, { "content-type": CONTENT_TYPE, "content-length": page.length });
        response.end(request.method === "HEAD" ? undefined : page);
      },
      (error: unknown) => {
        response.writeHead(503, { "content-type": "text/plain" });
        response.end(`metrics could not be collected: ${error instanceof Error ? error.message : String(error)}\n`);
      },
    );
  }

  const server = createServer(
    { requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 8_192 },
    (request, response) => {
      const [path] = (request.url ?? "/").split("?", 1);
      if (path === PATH) handler(request, response);
      else response.writeHead(404, { "content-type": "text/plain" }).end(`metrics are at ${PATH}\n`);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", (socket) => socket.unref());
  server.unref();
  options.onServer?.(server);
  reader.atShutdown = () => {
    server.closeAllConnections();
    server.close();
  };
  return { reader, listening: listen(server, host, port, portsToTry), handler };
}

/** A reader that collects when it is asked to. */
class PullReader extends MetricReader {
  atShutdown: () => void = () => {};
  constructor(metricProducers: readonly MetricProducer[]) {
    super({ metricProducers: [...metricProducers] });
  }
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {
    this.atShutdown();
  }
}

function listen(server: Server, host: string, port: number, portsToTry: number): Promise<Listening> {
  return new Promise((resolve) => {
    server.on("error", (error: NodeJS.ErrnoException) => {
      const next = portsToTry - 1;
      if (error.code === "EADDRINUSE" && port !== 0 && next > 0)
        resolve(listen(server.removeAllListeners("error"), host, port + 1, next));
      else resolve({ error: explain(error, host, port) });
    });
    // In a cluster worker a shared handle would hand each scrape to any of the workers.
    server.listen({ host, port, exclusive: true }, () => {
      const { port: actual } = server.address() as AddressInfo;
      resolve({ url: `http://${host.includes(":") ? `[${host}]` : host}:${actual}${PATH}` });
    });
    server.unref();
  });
}

function explain(error: NodeJS.ErrnoException, host: string, port: number): string {
  const what = `metrics cannot be served on ${host}:${port}`;
  const cure = "set OTEL_EXPORTER_PROMETHEUS_PORT to another port, or 0 for a free one";
  if (error.code === "EADDRINUSE")
    return `${what}: the port is in use, "ss -ltnp 'sport = :${port}'" shows by whom; ${cure}`;
  if (error.code === "EACCES") return `${what}: not permitted; ${cure}`;
  if (error.code === "EADDRNOTAVAIL") return `${what}: no such address here; set OTEL_EXPORTER_PROMETHEUS_HOST`;
  return `${what}: ${error.message}`;
}
