import { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { outsideRequests, startTimer, stopTimer, suppress } from "@telltale/core";
import { type Answer, type AnswerParser, createAnswerParser } from "./answer-parser.js";
import type { Target } from "./request-head.js";

/** What came of a request. */
export interface Outcome {
  /** As far as it has come; undefined where not even its head has. */
  readonly answer: Answer | undefined;
  /** Why there is none. */
  readonly reason: string;
  /** The connection, kept from an earlier request, was closed by the collector just then: nobody has read anything of it. */
  readonly isStale: boolean;
}

/** A connection to the collector, for one request after the other. */
export interface Connection {
  /** Whether it takes another request. */
  isOpen(): boolean;
  /** Ends it if it is still being made, which would hold the process open. */
  giveUpConnecting(): void;
  /** Settles when nothing of the body will be sent any more, and its bytes may be written over; never rejects. */
  exchange(body: Uint8Array, timeoutMs: number): Promise<Outcome>;
}

/** What proves who is who; in PEM. */
export interface Certificates {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** The last session of TLS with the collector, with which the next connection is made in one step less. */
export interface Sessions {
  last?: Buffer;
}

interface Exchange {
  readonly body: Uint8Array;
  readonly parser: AnswerParser;
  readonly settle: () => void;
}

/** A connection that nothing was sent on for so long is closed; deliveries come every few seconds. */
const IDLE_MS = 60_000;
/** An idle connection whose other side is gone without a word is found out, as agents of node:http do. */
const PROBED = { keepAlive: true, keepAliveInitialDelay: 1_000 };
/** How a connection that was closed meanwhile fails. */
const CLOSED = new Set(["ECONNRESET", "EPIPE"]);

/**
 * HTTP/1.1 of our own. Sockets, requests and answers of node:http made Node's code, which the app's requests run through, meet more shapes of
 * objects than V8 tells apart there, and slower.
 */
export function openConnection(target: Target, certificates: Certificates, sessions: Sessions): Connection {
  return outsideRequests(() => context.with(suppress(ROOT_CONTEXT), () => open(target, certificates, sessions)));
}

function open(target: Target, certificates: Certificates, sessions: Sessions): Connection {
  let exchange: Exchange | undefined;
  let requests = 0;
  let isReady = false;
  let isOpen = true;
  let failure: string | undefined;
  let keptUntilMs = Infinity;

  const socket = target.isSecure ? connectSecurely(target, certificates, sessions) : connect(target);
  socket.unref();
  const idle = startTimer(() => {
    if (exchange === undefined) close();
  }, IDLE_MS).unref();
  // Where a name has several addresses, it has another handle by now.
  socket.on("connect", () => void socket.unref());
  socket.on(target.isSecure ? "secureConnect" : "connect", () => {
    isReady = true;
    write();
  });
  socket.on("data", (bytes) => {
    // An answer to nothing, or more than one.
    if (exchange === undefined || exchange.parser.isWhole()) return close();
    try {
      exchange.parser.feed(bytes);
    } catch (error) {
      return close((error as Error).message);
    }
    proceed();
  });
  socket.on("end", () => {
    isOpen = false;
    exchange?.parser.end();
    // With an answer the rest of the body may still be read.
    if (exchange?.parser.isWhole() !== true) return close("ECONNRESET");
    proceed();
  });
  socket.on("error", (error: NodeJS.ErrnoException) => close(error.code ?? error.message));
  // The last event, whatever came before.
  socket.on("close", () => {
    isOpen = false;
    stopTimer(idle);
    exchange?.settle();
  });

  function close(reason?: string): void {
    isOpen = false;
    failure ??= reason;
    socket.destroy();
  }

  function write(): void {
    if (exchange === undefined) return;
    const { body } = exchange;
    socket.cork();
    socket.write(`${target.head}content-length: ${body.length}\r\n\r\n`, "latin1");
    socket.write(body);
    socket.uncork();
  }

  function proceed(): void {
    if (exchange === undefined || !exchange.parser.isWhole()) return;
    if (socket.writableLength > 0) {
      // The answer was first. Who hears of each write has a stream of another shape. One that has ended closes by itself.
      if (isOpen) socket.write("", proceed);
      return;
    }
    if (!isOpen || !exchange.parser.keepsAlive()) return close();
    keptUntilMs = performance.now() + keptMs(exchange.parser.answer()?.headers.get("keep-alive"));
    idle.refresh();
    exchange.settle();
  }

  return {
    isOpen() {
      if (exchange === undefined && performance.now() >= keptUntilMs) close();
      return isOpen;
    },
    giveUpConnecting() {
      if (!isReady) close();
    },
    exchange: (body, timeoutMs) =>
      new Promise((resolve) => {
        const parser = createAnswerParser();
        const late = startTimer(() => close(noAnswerIn(timeoutMs)), timeoutMs).unref();
        const settle = (): void => {
          stopTimer(late);
          exchange = undefined;
          const reason = failure ?? "the connection was closed";
          const isStale = requests > 1 && !parser.hasBegun() && CLOSED.has(reason);
          resolve({ answer: parser.answer(), reason, isStale });
        };
        requests++;
        exchange = { body, parser, settle };
        if (isReady) write();
      }),
  };
}

/** As the `pg` driver makes its own, so that both are of one shape to V8; `setKeepAlive` would give it another. */
function connect({ host, port }: Target): Socket {
  return new Socket(PROBED).setNoDelay(true).connect(port, host);
}

/** To load node:tls takes milliseconds and a megabyte or two. */
function connectSecurely({ host, port, servername }: Target, certificates: Certificates, sessions: Sessions): Socket {
  const { connect: connectTls } = process.getBuiltinModule("node:tls");
  const { last: session } = sessions;
  const options = { host, port, servername, ALPNProtocols: ["http/1.1"], ...PROBED, ...certificates };
  return connectTls({ ...options, ...(session && { session }) })
    .on("session", (next) => void (sessions.last = next))
    .setNoDelay(true);
}

/** For how long the collector says that it keeps a connection; a second less, as it may close it while a request is on its way. */
function keptMs(header = ""): number {
  const [, seconds] = /(?:^|[\s,;])timeout=(\d{1,9})/i.exec(header) ?? [];
  return seconds === undefined ? Infinity : (Number(seconds) - 1) * 1000;
}

export function noAnswerIn(timeoutMs: number): string {
  return `no answer in ${Math.round(timeoutMs)} ms`;
}
