// Serves and sends every kind of request once, and prints what was heard, for the Node that runs it.
import { context, createContextKey } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { activeRequest, addListener } from "@telltale/core";
import { expressInstrumentation, httpInstrumentation } from "@telltale/instrumentation-http";
import { once } from "node:events";
import { Agent, get, request } from "node:http";
import { connect as connect2, createServer as createServer2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const heard = [];
const wrong = [];
addListener({
  name: "test",
  operationEnded({ kind, method, path, url, statusCode, errorType, request: { route } = {} }) {
    const target = path ?? new URL(url).pathname;
    heard.push(
      `${kind === "http.server" ? "served" : "sent"} ${method} ${target} ${statusCode} ${errorType ?? route ?? ""}`.trim(),
    );
  },
});
httpInstrumentation().enable();
expressInstrumentation().enable();

const { default: express } = await import("express");
const app = express();
app.get("/items/:id", (_request, response) => response.send("item"));
app.post("/body", (message, response) => {
  const check = () => activeRequest()?.operation.path === "/body" || wrong.push("the body's listener lost its request");
  message.on("data", check).on("end", () => {
    check();
    response.on("finish", check).send("ok");
  });
});
app.get(["/never", "/never/:id"], () => {});
const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address();
const url = `http://127.0.0.1:${port}`;

await (await fetch(`${url}/items/1`)).text();
await fetch(`${url}/never`, { signal: AbortSignal.timeout(50) }).catch(() => {});

const sent = request(`${url}/body`, { method: "POST" });
sent.write("a");
await wait(30);
sent.end("b");
const [answer] = await once(sent, "response");
await answer.toArray();

// Requests that queue for one connection keep their callers' contexts.
const key = createContextKey("caller");
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
await Promise.all(
  [1, 2, 3].map((id) =>
    context.with(context.active().setValue(key, id), async () => {
      await new Promise((resolve) => {
        get(`${url}/items/${id}`, { agent }, (response) => {
          if (context.active().getValue(key) !== id) wrong.push("the response's listener lost its caller");
          response.resume().on("end", () => {
            if (context.active().getValue(key) !== id) wrong.push("the body's listener lost its caller");
            resolve();
          });
        });
      });
    }),
  ),
);
agent.destroy();

// Streams of HTTP/2, which is loaded when the app wants it.
const server2 = createServer2((message, response) => {
  message.resume().on("end", () => {
    if (activeRequest()?.operation.path !== "/two") wrong.push("the stream's listener lost its request");
    response.end(message.headers.traceparent === undefined ? "" : "ok");
  });
});
await once(server2.listen(0, "127.0.0.1"), "listening");
const session = connect2(`http://127.0.0.1:${server2.address().port}`);
await once(session.request({ ":path": "/two" }).resume(), "close");
session.close();
server2.close();

// A WebSocket of Node's own; the server refuses nothing and agrees to nothing.
server.on("upgrade", (_message, upgraded) =>
  upgraded.end("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"),
);
await new Promise((resolve) => {
  new WebSocket(`${url.replace("http", "ws")}/socket`).addEventListener("error", resolve);
});

// A client that leaves with requests waiting behind each other.
const socket = connect(port, "127.0.0.1");
socket.write("GET /never HTTP/1.1\r\nHost: a\r\n\r\nGET /never/2 HTTP/1.1\r\nHost: a\r\n\r\n");
await wait(50);
socket.destroy();
await wait(50);
server.closeAllConnections();
server.close();
await once(get({ port, host: "127.0.0.1", path: "/refused", agent: false }), "error");
await wait(20);
process.stdout.write(JSON.stringify({ heard: heard.sort(), wrong }));
