import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";

/** Requests of one connection that have no answer yet. Browsers and exporters send one, and wait. */
const MAX_AHEAD = 32;

interface Line {
  last: Promise<void>;
  length: number;
}

const lines = new WeakMap<Socket, Line>();

/**
 * Answers what one connection asks one after the other, and only when the answer before is read: whoever sends a thousand requests at once
 * would have all of their answers made, and kept, before anybody else has one.
 */
export function inLine(request: IncomingMessage, response: ServerResponse, answer: () => void): void {
  const { socket } = request;
  const line = lines.get(socket) ?? { last: Promise.resolve(), length: 0 };
  lines.set(socket, line);
  line.length += 1;
  if (line.length > MAX_AHEAD) {
    socket.destroy();
    return;
  }
  const answered = new Promise<void>((resolve) => response.once("close", resolve)).then(() => {
    line.length -= 1;
  });
  if (line.length === 1) answer();
  // Where the connection ends, nobody comes next.
  else void line.last.then(answer);
  line.last = answered;
}

let last: Promise<unknown> = Promise.resolve();

/** Lets signals, and all that is received, come first: one answer of the database a turn of the event loop, whoever asks. */
export function takeTurn(): Promise<unknown> {
  last = last.then(() => setImmediate());
  return last;
}
