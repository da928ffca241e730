import type { IncomingMessage, ServerResponse } from "node:http";
import type { Change } from "../api/answers.js";
import { refuse } from "./answer.js";

/** `GET /api/live`: tells pages that something has come. */
export interface Live {
  /** From whoever receives; told to the pages at most once a second. */
  tell(change: Change): void;
  answer(request: IncomingMessage, response: ServerResponse): void;
  close(): void;
}

const EVERY_MS = 1_000;
/** Keeps what is in between from taking the line for dead. */
const BEAT_MS = 15_000;
const MAX_LISTENERS = 100;
/** A page that no longer reads. */
const MAX_UNREAD_BYTES = 64 * 1024;

export function createLive(): Live {
  const listeners = new Set<ServerResponse>();
  const kinds = new Set<Change["kinds"][number]>();
  let spans = 0;
  let timer: NodeJS.Timeout | undefined;
  let lastMs = 0;

  const write = (text: string): void => {
    for (const listener of listeners) {
      if (listener.writableLength > MAX_UNREAD_BYTES) listener.destroy();
      else listener.write(text);
    }
  };
  const beat = setInterval(() => write(":\n\n"), BEAT_MS).unref();
  const flush = (): void => {
    timer = undefined;
    lastMs = Date.now();
    const change: Change = { kinds: [...kinds], spans };
    kinds.clear();
    spans = 0;
    write(`event: change\ndata: ${JSON.stringify(change)}\n\n`);
  };

  return {
    tell(change) {
      for (const kind of change.kinds) kinds.add(kind);
      spans += change.spans;
      timer ??= setTimeout(flush, Math.max(0, Math.min(EVERY_MS, lastMs + EVERY_MS - Date.now()))).unref();
    },
    answer(request, response) {
      if (listeners.size >= MAX_LISTENERS) {
        refuse(request, response, 503, `at most ${MAX_LISTENERS} pages can listen at a time: close some`);
        return;
      }
      response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
      response.write(`retry: ${EVERY_MS}\n\n`);
      listeners.add(response);
      response.on("close", () => listeners.delete(response));
      response.on("error", () => {});
    },
    close() {
      clearInterval(beat);
      clearTimeout(timer);
      for (const listener of listeners) listener.end();
    },
  };
}
