import type { IncomingMessage } from "node:http";
import { answerApi } from "../api/answer-api.js";
import type { Status } from "../api/answers.js";
import { answerJaeger } from "../jaeger/answer-jaeger.js";
import type { Store } from "../store/open-store.js";
import { readBody, refuse, sendJson } from "./answer.js";
import type { Part } from "./handle.js";
import { takeTurn } from "./one-by-one.js";

/** `{"muted": true}` and the like. */
const MAX_BODY_BYTES = 10_000;

/** `/api/…`, but for what is told live; Jaeger's as well. */
export function serveApi(store: Store, readStatus: () => Status): Part {
  return async (request, response, url) => {
    if (url.pathname === "/api/status" && isReading(request)) {
      sendJson(response, 200, readStatus());
      return true;
    }
    let body: string | undefined;
    if (!isReading(request)) {
      // Forms of web pages cannot send this without asking first; nobody here says yes.
      if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
        refuse(request, response, 415, "expected content-type: application/json");
        return true;
      }
      body = (await readBody(request, MAX_BODY_BYTES))?.toString();
      if (body === undefined) {
        refuse(request, response, 413, `expected a body of at most ${MAX_BODY_BYTES} bytes`);
        return true;
      }
    }
    await takeTurn();
    if (request.socket.destroyed) return true;
    const ours = answerApi(store, request.method ?? "GET", url, body);
    const answer = ours ?? (isReading(request) ? answerJaeger(store, url) : undefined);
    if (answer === undefined) return false;
    sendJson(response, answer.status, answer.body);
    return true;
  };
}

function isReading({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}
