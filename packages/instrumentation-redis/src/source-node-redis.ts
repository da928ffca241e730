import {
  failedOn,
  type Guard,
  hasListeners,
  type InstrumentedModule,
  type LoadedModule,
  replaceMethod,
  requireInner,
  sayOnce,
  undoAll,
} from "@telltale/core";
import type { Client, CommandArguments, QueuedCommand, Queue, SendOptions } from "./node-redis.js";
import { asksNode, beginCall, rediscovers, refusalOf, refuseCall, type Waited } from "./node-redis-call.js";
import { patchClientSideCache } from "./node-redis-cache.js";
import { patchPool } from "./node-redis-pool.js";
import { knowQueue, type Session, sessionOf, sessionOfQueue } from "./node-redis-session.js";

type Method<This> = (this: This, ...args: never[]) => unknown;
type Class = { readonly prototype: object };
interface Lists {
  readonly DoublyLinkedList: Class;
  readonly SinglyLinkedList: Class;
}

/** `redis` itself holds no more than the modules of commands that it brings along; here for the word on releases that are not supported. */
export const nodeRedis: InstrumentedModule = {
  module: "redis",
  calls: "redis",
  majors: [4, 6],
  patch({ version }) {
    // Its client has another name.
    if (version.startsWith("4.0.")) sayOnce("info", `redis ${version} is not instrumented: supported is 4.1 to 6.x`);
    return () => {};
  },
};

/**
 * The client of node-redis 4.1 (in which it is 1.1) to 6. Its diagnostics channels (from 5.12) are not used: those for commands return
 * another promise as soon as somebody listens. Every command of every kind of client goes through the queue of one client; there it has
 * the functions that settle its promise, which are reached as it enters the queue's list.
 */
export const nodeRedisClient: InstrumentedModule = {
  module: "@redis/client",
  calls: "redis",
  majors: [1, 6],
  inner: [
    "./lib/client",
    "./lib/client/commands-queue",
    "./lib/client/linked-list",
    "./lib/client/pool",
    "./lib/cluster/cluster-slots",
    "yallist",
  ],
  target(exports, loaded) {
    const { default: client } = requireInner(loaded, "./lib/client") as { default: { readonly create: unknown } };
    return (exports as { readonly createClient?: unknown }).createClient === client.create
      ? client
      : (exports as object);
  },
  patch(loaded, guard) {
    const undo: (() => void)[] = [];
    try {
      return patchClient(loaded, guard, undo);
    } catch (error) {
      undoAll(undo);
      throw error;
    }
  },
};

function patchClient(loaded: LoadedModule, guard: Guard, undo: (() => void)[]): () => void {
  const { exports, version } = loaded;
  const inner = <T>(path: string): T => requireInner(loaded, path) as T;
  const { create, prototype: client } = inner<{ default: Class & { readonly create: unknown } }>(
    "./lib/client",
  ).default;
  if ((exports as { readonly createClient?: unknown }).createClient !== create) {
    sayOnce("info", `@redis/client ${version} is not instrumented: it was not loaded by Node's own loader`);
    return () => {};
  }
  const { prototype: queue } = inner<{ default: Class }>("./lib/client/commands-queue").default;
  const { prototype: slots } = inner<{ default: Class }>("./lib/cluster/cluster-slots").default;
  const patch: Patch = { on: true, probed: undefined, sending: undefined, waited: undefined, opened: undefined };
  const hears = (): boolean => patch.on && guard.on && hasListeners();
  const replace = <This>(owner: object, name: string, wrap: (original: Method<This>) => Method<This>): void => {
    // Not every release has all of them.
    if (Object.hasOwn(owner, name)) undo.push(replaceMethod<Method<This>>(owner, name, (find) => wrap(find())));
  };
  replace<Client>(client, "connect", (original) => clientConnect(original, client, patch, hears, guard));
  replace<Client>(client, "sendCommand", (original) => clientSend(original, client, hears, guard));
  for (const name of ["addCommand", "subscribe", "unsubscribe", "monitor", "reset"]) {
    replace<Queue>(queue, name, (original) => queueAdd(original, patch, hears, guard));
  }
  replace<object>(slots, "rediscover", (original) => clusterLooks(original, hears, guard, rediscovers));
  replace<object>(slots, "getMasterByAddress", (original) => clusterLooks(original, hears, guard, asksNode));
  undo.push(patchProbe(queue, patch));
  const hearList = (list: object, name: string, commandOf: (entry: unknown) => unknown): void =>
    replace<object>(list, name, (original) => listAdd(original, patch, commandOf, guard));
  if (Number.parseInt(version, 10) > 1) {
    const lists = inner<Lists>("./lib/client/linked-list");
    hearList(lists.DoublyLinkedList.prototype, "push", (value) => value);
    hearList(lists.DoublyLinkedList.prototype, "unshift", (value) => value);
    undo.push(patchPool(exports as object, inner("./lib/client/pool"), lists, patch, hears, guard));
    undo.push(patchClientSideCache(exports as object, hears, guard));
  } else {
    // Others may share this list: what is replaced there costs them one comparison.
    const { prototype: list } = inner<Class>("yallist");
    const valueOf = (node: unknown): unknown => (node as { value?: unknown } | undefined)?.value;
    hearList(list, "pushNode", valueOf);
    hearList(list, "unshiftNode", valueOf);
    hearList(list, "push", (value) => value);
  }
  return () => {
    patch.on = false;
    undoAll(undo);
  };
}

/** What is known for as long as a call of the client's runs. */
export interface Patch {
  on: boolean;
  /** Whose queue is asked for. */
  probed: Client | undefined;
  /** What is about to enter a queue. */
  sending: Sending | undefined;
  /** What the next command has waited for a client of its pool. */
  waited: Waited | undefined;
  /** Hears of clients that begin to connect. */
  opened: ((client: Client, connected: unknown) => void) | undefined;
}

interface Sending {
  readonly session: Session;
  readonly options: SendOptions | undefined;
}

/** A client keeps its queue to itself, but asks it whether it has subscriptions: so it is known whose a queue is. */
function clientConnect(
  original: Method<Client>,
  prototype: object,
  patch: Patch,
  hears: () => boolean,
  guard: Guard,
): Method<Client> {
  return function connect(this: Client) {
    const isHeard = hears();
    if (isHeard) {
      try {
        patch.probed = this;
        void this.isPubSubActive;
      } catch (error) {
        failedOn(guard, prototype, this, error);
      }
      patch.probed = undefined;
    }
    const result: unknown = Reflect.apply(original, this, arguments);
    if (isHeard && patch.opened !== undefined) patch.opened(this, result);
    return result;
  };
}

function patchProbe(queue: object, patch: Patch): () => void {
  const own = Object.getOwnPropertyDescriptor(queue, "isPubSubActive");
  if (own?.get === undefined) return () => {};
  const { get } = own;
  const probe = {
    ...own,
    get(this: Queue) {
      if (patch.probed !== undefined) knowQueue(this, patch.probed);
      return get.call(this) as unknown;
    },
  };
  Object.defineProperty(queue, "isPubSubActive", probe);
  return () => {
    if (Object.getOwnPropertyDescriptor(queue, "isPubSubActive")?.get !== probe.get) return;
    Object.defineProperty(queue, "isPubSubActive", own);
  };
}

/** Only what a closed client refuses: all else is heard in the queue. */
function clientSend(original: Method<Client>, prototype: object, hears: () => boolean, guard: Guard): Method<Client> {
  return function sendCommand(this: Client, ...[args]: never[]) {
    if (hears()) {
      try {
        const refusal = refusalOf(this);
        if (refusal !== undefined) refuseCall(sessionOf(this), args as unknown as CommandArguments, refusal);
      } catch (error) {
        failedOn(guard, prototype, this, error);
      }
    }
    return Reflect.apply(original, this, arguments);
  };
}

function queueAdd(original: Method<Queue>, patch: Patch, hears: () => boolean, guard: Guard): Method<Queue> {
  const isCommand = original.name === "addCommand";
  return function (this: Queue) {
    if (!hears()) return Reflect.apply(original, this, arguments);
    const options = isCommand ? (arguments[1] as SendOptions | undefined) : undefined;
    const sending: Sending = { session: sessionOfQueue(this), options };
    patch.sending = sending;
    try {
      return Reflect.apply(original, this, arguments);
    } finally {
      if (patch.sending === sending) {
        patch.sending = undefined;
        if (isCommand) tellRefused(sending, arguments[0] as CommandArguments, guard);
      }
    }
  };
}

/** It has not entered the queue's list. */
function tellRefused({ session, options }: Sending, args: CommandArguments, guard: Guard): void {
  try {
    const isAborted = (options?.abortSignal ?? options?.signal)?.aborted === true;
    refuseCall(session, args, isAborted ? "AbortError" : "Error");
  } catch (error) {
    guard.failed(error);
  }
}

function listAdd(
  original: Method<object>,
  patch: Patch,
  commandOf: (entry: unknown) => unknown,
  guard: Guard,
): Method<object> {
  return function (this: object) {
    const { sending } = patch;
    if (sending !== undefined) {
      patch.sending = undefined;
      try {
        const { waited } = patch;
        patch.waited = undefined;
        const command = commandOf(arguments[0]) as QueuedCommand;
        beginCall(sending.session, command, sending.options, waited, guard);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(original, this, arguments);
  };
}

function clusterLooks(
  original: Method<object>,
  hears: () => boolean,
  guard: Guard,
  tell: (client: Client) => void,
): Method<object> {
  return function (this: object) {
    if (hears() && arguments[0] !== undefined) {
      try {
        tell(arguments[0] as Client);
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(original, this, arguments);
  };
}
