// An app that leaves an error to end the process, in each of the places where a patched function is on the way.
import { createServer, get } from "node:http";

const [telltale, mode] = process.argv.slice(2);
if (telltale === "instrumented") {
  const { context } = await import("@opentelemetry/api");
  const { AsyncLocalStorageContextManager } = await import("@opentelemetry/context-async-hooks");
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const { addListener } = await import("@telltale/core");
  const { expressInstrumentation, httpInstrumentation } = await import("@telltale/instrumentation-http");
  addListener({ name: "nobody", operationEnded() {} });
  httpInstrumentation().enable();
  expressInstrumentation().enable();
}

const listen = (server, then) => server.listen(0, "127.0.0.1", () => then(server.address().port));
const ways = {
  refused() {
    const server = createServer();
    listen(server, (port) => server.close(() => get({ port, host: "127.0.0.1" })));
  },
  "in the handler"() {
    const server = createServer(() => {
      throw new TypeError("the handler broke");
    });
    listen(server, (port) => get({ port, host: "127.0.0.1" }));
  },
  "in a body listener"() {
    const server = createServer((request) => {
      request.on("data", () => {
        throw new TypeError("the listener broke");
      });
    });
    listen(server, (port) => fetch(`http://127.0.0.1:${port}`, { method: "POST", body: "body" }).catch(() => {}));
  },
  "in a response callback"() {
    const server = createServer((_request, response) => response.end());
    listen(server, (port) =>
      get({ port, host: "127.0.0.1" }, () => {
        throw new TypeError("the callback broke");
      }),
    );
  },
  "on the response"() {
    const server = createServer((_request, response) => response.destroy(new TypeError("destroyed")));
    listen(server, (port) => get({ port, host: "127.0.0.1" }));
  },
  "in a rejected handler"() {
    const server = createServer(async () => {
      throw new TypeError("the promise broke");
    });
    listen(server, (port) => get({ port, host: "127.0.0.1" }));
  },
};
ways[mode]();
