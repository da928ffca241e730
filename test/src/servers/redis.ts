import { findServer } from "./find-server.js";
import { freePort } from "./free-port.js";
import { startReady, supervise } from "./supervise.js";

export interface RedisServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Undefined: the server is the one REDIS_URL names. */
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** A server nobody else uses, even where REDIS_URL is set: for tests that compare with its INFO. Default false. */
  own?: boolean;
  /** Settings as in redis.conf. */
  settings?: Record<string, string | number>;
}

/** The Redis that REDIS_URL names, else one of its own, empty, that keeps nothing on disk. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const url = process.env["REDIS_URL"];
  if (options.own !== true && url !== undefined && url !== "") return useExisting(url);
  const program = await findServer("redis-server");
  const { server, details: port } = await startReady("redis", /Ready to accept connections/, async () => {
    const port = await freePort();
    const settings = { bind: "127.0.0.1", save: "", appendonly: "no", ...options.settings, port };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return { server: await supervise("redis", [program, ...flags]), details: port };
  });
  return { host: "127.0.0.1", port, url: `redis://127.0.0.1:${port}`, pid: server.pid, stop: server.stop };
}

// A sentinel writes into its own configuration.
const SENTINEL = 'printf "%s\\n" "$@" >sentinel.conf && exec "$0" sentinel.conf --sentinel';

/** A sentinel that watches a primary by the name `shop`, and by itself decides that it is down, after half a second. */
export async function startSentinel(primary: RedisServer): Promise<RedisServer> {
  const program = await findServer("redis-server");
  const { server, details: port } = await startReady("sentinel", /\+monitor master shop/, async () => {
    const port = await freePort();
    const settings = [
      `port ${port}`,
      "bind 127.0.0.1",
      `sentinel monitor shop ${primary.host} ${primary.port} 1`,
      "sentinel down-after-milliseconds shop 500",
      "sentinel failover-timeout shop 3000",
    ];
    return { server: await supervise("sentinel", ["sh", "-c", SENTINEL, program, ...settings]), details: port };
  });
  return { host: "127.0.0.1", port, url: `redis://127.0.0.1:${port}`, pid: server.pid, stop: server.stop };
}

function useExisting(url: string): RedisServer {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: port === "" ? 6379 : Number(port), url, pid: undefined, stop: async () => {} };
}
