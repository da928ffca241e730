import { Agent } from "node:http";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { context } from "@opentelemetry/api";
import { Attached, type Guard, isSuppressed, type PoolReporter, replaceMethod } from "@telltale/core";
import { isOpen, registerHttpPool } from "./http-pools.js";
import { defaultPort, originOf } from "./request-attributes.js";

interface SocketOptions {
  readonly host?: string | null;
  readonly hostname?: string | null;
  readonly port?: number | string | null;
  readonly socketPath?: string | null;
}
type Created = (this: unknown, error: unknown, socket: unknown) => unknown;
type CreateSocket = (this: Agent, request: unknown, options: SocketOptions, created: Created) => unknown;

/** The pools of an agent: one for each place it keeps connections to, by the agent's own name for it, which holds keys and stays here. */
class AgentPools extends Attached {
  #pools = new Map<string, PoolReporter>();

  static of(agent: object): Map<string, PoolReporter> {
    // oxlint-disable-next-line no-new
    if (!(#pools in agent)) new AgentPools(agent);
    return (agent as AgentPools).#pools;
  }
}

class PooledSocket extends Attached {
  #pool: PoolReporter;

  constructor(socket: object, pool: PoolReporter) {
    super(socket);
    this.#pool = pool;
  }

  static get(socket: object): PoolReporter | undefined {
    return #pool in socket ? socket.#pool : undefined;
  }

  static set(socket: object, pool: PoolReporter): void {
    // oxlint-disable-next-line no-new
    if (!(#pool in socket)) new PooledSocket(socket, pool);
  }
}

/** Registers what agents of node:http and node:https keep; looked at when a connection is opened, so that its use costs nothing. */
export function hearAgents(guard: Guard): () => void {
  return replaceMethod<CreateSocket>(
    Agent.prototype,
    "createSocket",
    (find) =>
      function createSocket(this: Agent, _request, options, created) {
        // What delivers telemetry is nobody's pool.
        if (guard.on && typeof created === "function" && isPool(this) && !isSuppressed(context.active())) {
          const know = (socket: unknown): void => {
            try {
              const pool = poolOf(this, options, socket);
              if (pool !== undefined) PooledSocket.set(socket as object, pool);
            } catch (error) {
              guard.failed(error);
            }
          };
          arguments[2] = function oncreate(this: unknown, _error: unknown, socket: unknown) {
            know(socket);
            return Reflect.apply(created, this, arguments);
          } satisfies Created;
        }
        return Reflect.apply(find(), this, arguments) as unknown;
      },
  );
}

/** A request that began at `startMs` has got its connection. */
export function noteSocket(socket: unknown, startMs: number): void {
  if (typeof socket === "object" && socket !== null)
    PooledSocket.get(socket)?.timed("wait", performance.now() - startMs);
}

/** An agent that keeps no connection and limits none opens one for each request. */
function isPool(agent: Agent): boolean {
  const { keepAlive } = agent as Agent & { readonly keepAlive?: boolean };
  return keepAlive === true || limitOf(agent) !== undefined;
}

function limitOf({ maxSockets, maxTotalSockets }: Agent): number | undefined {
  const limit = Math.min(maxSockets, maxTotalSockets);
  return Number.isFinite(limit) ? limit : undefined;
}

/** The pool of a socket that an agent has just listed. By which name it lists it is not asked: the app's own `getName` would hear that. */
function poolOf(agent: Agent, options: SocketOptions, socket: unknown): PoolReporter | undefined {
  const name = Object.keys(agent.sockets).find((key) => agent.sockets[key]?.includes(socket as Socket));
  if (name === undefined) return undefined;
  const pools = AgentPools.of(agent);
  const known = pools.get(name);
  if (known !== undefined && isOpen(known)) return known;
  const { protocol = "http:" } = agent as Agent & { readonly protocol?: string };
  const { host, hostname, port, socketPath } = options;
  const place =
    socketPath == null
      ? { address: host ?? hostname ?? "localhost", port: Number(port ?? 0) || defaultPort(protocol) }
      : { address: socketPath, port: undefined };
  const origin = socketPath ?? originOf(protocol, place.address, place.port);
  const ref = new WeakRef(agent);
  const made = registerHttpPool(origin, place, () => {
    const living = ref.deref();
    if (living === undefined) return undefined;
    return {
      used: living.sockets[name]?.length ?? 0,
      idle: living.freeSockets[name]?.length ?? 0,
      pending: living.requests[name]?.length ?? 0,
      limit: limitOf(living),
    };
  });
  if (made !== undefined) pools.set(name, made);
  return made;
}
