import { readFileSync } from "node:fs";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { OtlpOptions, SourceOptions } from "../../config/options.js";
import type { Config } from "../../config/resolve.js";
import { addressOf, destinationOf } from "../../otlp/exporters.js";
import { DEFAULT_PORT, fetchPage } from "../report/fetch-page.js";
import type { Check } from "./check.js";

const TIMEOUT_MS = 2_000;
type Signal = "traces" | "metrics";
type SignalOptions = NonNullable<SourceOptions["traces"]> | NonNullable<SourceOptions["metrics"]>;

/** Asks whoever is to take the telemetry, with nothing in it: 2 s at most, all at once. */
export async function checkOutlets(config: Config, service: string | undefined): Promise<Check[]> {
  const { traces = {}, metrics = {} } = config;
  const checks: (Check | Promise<Check>)[] = [];
  const readers = metrics.exporters ?? ["prometheus"];
  if (readers.includes("prometheus")) checks.push(checkPort(metrics, service));
  if (readers.includes("otlp")) checks.push(checkCollector("metrics", metrics));
  if (readers.every((name) => name === "none")) checks.push({ subject: "metrics", status: "note", text: "off" });
  const exporters = traces.exporters ?? ["otlp"];
  if (exporters.includes("otlp")) checks.push(checkCollector("traces", traces));
  if (exporters.every((name) => name === "none")) checks.push({ subject: "traces", status: "note", text: "off" });
  return Promise.all(checks);
}

async function checkPort(
  { host = "127.0.0.1", port = DEFAULT_PORT }: NonNullable<Config["metrics"]>,
  service?: string,
): Promise<Check> {
  const subject = "metrics";
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}/metrics`;
  const code = await listenOnce(host, port);
  if (code === undefined) {
    const where =
      port === 0 ? `on a free port of ${host}, which the first line of the app names` : `${url}, the port is free`;
    return { subject, status: "ok", text: where };
  }
  if (code !== "EADDRINUSE") {
    const cure =
      code === "EACCES"
        ? "a port from 1024 on: OTEL_EXPORTER_PROMETHEUS_PORT"
        : "an address of this machine: OTEL_EXPORTER_PROMETHEUS_HOST";
    return { subject, status: "problem", text: `${host}:${port} cannot be listened on: ${code}`, cure };
  }
  const owner = await within(fetchPage(new URL(url.replace(/metrics$/, "findings"))).catch(() => undefined));
  if (owner !== undefined && owner.service === service) {
    return { subject, status: "ok", text: `${url}, served by a process of this service, which others share` };
  }
  const by = owner === undefined ? "another program" : `the service ${owner.service}`;
  return {
    subject,
    status: "problem",
    text: `${host}:${port} is taken by ${by}`,
    cure: "another port: OTEL_EXPORTER_PROMETHEUS_PORT, or 0 for a free one",
  };
}

/** Undefined where it can be listened on, or the code of what is in the way. */
function listenOnce(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", ({ code = "UNKNOWN" }: NodeJS.ErrnoException) => resolve(code));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

async function checkCollector(signal: Signal, options: SignalOptions): Promise<Check> {
  const to = destinationOf(options, signal);
  const answer = await (options.protocol === "grpc" ? dial(to) : post(signal, options, to));
  const isDefault = options.url === undefined && options.endpoint === undefined;
  const check = (status: Check["status"], text: string, cure?: string): Check => ({
    subject: signal,
    status,
    text,
    ...(cure !== undefined && { cure }),
  });
  if (typeof answer === "number") {
    if (answer < 300) return check("ok", `${to} takes them`);
    if (answer === 401 || answer === 403) {
      return check("problem", `${to} refuses them: ${answer}`, "check what OTEL_EXPORTER_OTLP_HEADERS gives it");
    }
    // Some take no request without spans.
    if (answer === 400 || answer === 429 || answer >= 500) return check("warning", `${to} answers with ${answer}`);
    return check(
      "problem",
      `${addressOf(options, signal)} is no OTLP endpoint: it answers with ${answer}`,
      `check ${endpointVariable(signal)}`,
    );
  }
  const off = signal === "traces" ? "OTEL_TRACES_EXPORTER=none" : "OTEL_METRICS_EXPORTER=prometheus";
  return answer === ""
    ? check("ok", `${to} takes connections`)
    : check(
        isDefault ? "warning" : "problem",
        `${to} does not answer: ${answer}`,
        `start a collector there, set OTEL_EXPORTER_OTLP_ENDPOINT to where one is, or ${off}`,
      );
}

function endpointVariable(signal: Signal): string {
  return `OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`;
}

/** A status, or what went wrong: a code, never a message, which may hold what was sent. */
function post(signal: Signal, options: SignalOptions, to: string): Promise<number | string> {
  const { url, headers, protocol } = options;
  const target = new URL(url ?? `${to}/v1/${signal}`);
  const isJson = protocol === "http/json";
  const send = target.protocol === "https:" ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    try {
      const request = send(
        target,
        {
          method: "POST",
          agent: false,
          headers: { ...headers, "content-type": isJson ? "application/json" : "application/x-protobuf" },
          ...certificates(options),
        },
        (response) => {
          response.destroy();
          resolve(response.statusCode ?? 0);
        },
      );
      const timer = setTimeout(() => {
        resolve(`nothing came within ${TIMEOUT_MS / 1000} s`);
        request.destroy();
      }, TIMEOUT_MS);
      request.on("error", (error) => resolve(codeOf(error))).on("close", () => clearTimeout(timer));
      request.end(isJson ? "{}" : undefined);
    } catch (error) {
      resolve(codeOf(error));
    }
  });
}

function certificates(options: OtlpOptions & { caFile?: string; certFile?: string; keyFile?: string }) {
  const { caFile, certFile, keyFile } = options;
  return {
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(certFile !== undefined && { cert: readFileSync(certFile) }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
  };
}

/** "" where somebody takes the connection. */
function dial(to: string): Promise<string> {
  const { hostname, port, protocol } = new URL(to);
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
    });
    socket.setTimeout(TIMEOUT_MS, () => {
      resolve(`nothing came within ${TIMEOUT_MS / 1000} s`);
      socket.destroy();
    });
    socket.on("connect", () => {
      resolve("");
      socket.destroy();
    });
    socket.on("error", (error) => resolve(codeOf(error)));
  });
}

function codeOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "there is no such host";
  return code ?? "it cannot be asked";
}

function within<T>(result: Promise<T>): Promise<T | undefined> {
  return Promise.race([result, sleep(TIMEOUT_MS, undefined, { ref: false })]);
}
