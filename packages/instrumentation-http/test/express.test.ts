import { activeRequest } from "@telltale/core";
import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createRequire } from "node:module";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expressInstrumentation, httpInstrumentation } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { listen, type Serving, until } from "./serve.js";

type Next = (error?: unknown) => void;
type Handler = (request: IncomingMessage & { body?: unknown }, response: ServerResponse, next: Next) => unknown;
type ErrorHandler = (error: Error, request: IncomingMessage, response: ServerResponse, next: Next) => unknown;
interface Router extends Handler {
  use(...args: unknown[]): this;
  all(path: unknown, ...handlers: Handler[]): this;
  get(path: unknown, ...handlers: Handler[]): this;
  post(path: unknown, ...handlers: Handler[]): this;
  put(path: unknown, ...handlers: Handler[]): this;
  param(name: string, handler: (...args: unknown[]) => void): this;
  route(path: unknown): { get(...handlers: Handler[]): Router; post(...handlers: Handler[]): Router };
}
interface Express {
  (): Router;
  Router(options?: object): Router;
  json(): Handler;
}

const here = createRequire(import.meta.url);
const old = createRequire(new URL("../../../.old-majors/package.json", import.meta.url));
const versions = [load(5, here, "/*rest"), load(4, old, "/*")];

function load(major: number, require: NodeJS.Require, rest: string) {
  const { version } = require("express/package.json") as { version: string };
  if (!version.startsWith(`${major}.`)) throw new Error(`expected Express ${major}, found ${version}`);
  return { major, version, rest, load: () => require("express") as Express };
}

const instrumentations = [httpInstrumentation(), expressInstrumentation()];
let heard: Heard;
beforeEach(() => {
  heard = hear(...instrumentations);
});
afterEach(() => heard.stop());

const ok: Handler = (_request, response) => response.end("ok");
const pass: Handler = (_request, _response, next) => next();
const fail: Handler = (_request, _response, next) => next(new Error("expected"));
const answerError: ErrorHandler = (_error, _request, response, _next) => {
  response.statusCode = 500;
  response.end("failed");
};

/** `GET /path` as the client sends it, then what was heard: status and route. */
async function send(port: number, line: string, agent?: Agent): Promise<[number, string | undefined]> {
  const [method, path] = line.split(" ");
  const known = heard.servers.length;
  const [response] = (await once(request({ port, method, path, agent }).end(), "response")) as [IncomingMessage];
  response.resume();
  const servers = await until(
    () => heard.servers,
    ({ length }) => length > known,
  );
  return [response.statusCode ?? 0, servers.at(-1)?.request?.route];
}

describe.each(versions)("Express $version", ({ major, load, rest }) => {
  let express: Express;
  let app: Router;
  let running: Serving;

  beforeEach(async () => {
    express = load();
    app = express();
    running = await listen(createServer(app as unknown as RequestListener));
  });
  afterEach(() => running.close());

  /** Each case is a line sent, with the status and the route expected. */
  async function expectRoutes(cases: [line: string, status: number, route: string | undefined][]): Promise<void> {
    const seen = [];
    for (const [line] of cases) seen.push([line, ...(await send(running.port, line))]);
    expect(seen).toEqual(cases);
  }

  test("plain routes", async () => {
    app.use(express.json()).use(pass);
    app.get("/", ok).get("/orders/:id", pass, ok).post("/orders", ok).get("/items/", ok).all("/any", ok);
    app.route("/chain/:id").get(ok);
    await expectRoutes([
      ["GET /", 200, "/"],
      ["GET /orders/7", 200, "/orders/:id"],
      ["GET /orders/7/?a=1", 200, "/orders/:id"],
      ["HEAD /orders/7", 200, "/orders/:id"],
      ["POST /orders", 200, "/orders"],
      ["HEAD /orders", 404, undefined],
      ["PUT /orders/7", 404, undefined],
      ["GET /items", 200, "/items"],
      ["DELETE /any", 200, "/any"],
      ["GET /chain/1", 200, "/chain/:id"],
      ["GET /nothing", 404, undefined],
      ["OPTIONS /orders", 200, undefined],
    ]);
    expect(heard.spans.map(({ name, attributes }) => [name, attributes["http.route"]])).toContainEqual([
      "GET /orders/:id",
      "/orders/:id",
    ]);
  });

  test("mounted routers name their patterns, not the paths", async () => {
    const inner = express.Router({ mergeParams: true });
    inner.get("/", ok).get("/items/:item", ok).use("/deep/", express.Router().get("/:leaf", ok));
    const flat = express.Router().get("/flat", ok);
    app.use("/:tenant/api", pass, inner).use(flat).use("/", express.Router().get("/also-flat", ok));
    await expectRoutes([
      ["GET /acme/api", 200, "/:tenant/api"],
      ["GET /acme/api/", 200, "/:tenant/api"],
      ["GET /acme/api/items/3", 200, "/:tenant/api/items/:item"],
      ["GET /acme/api/deep/x", 200, "/:tenant/api/deep/:leaf"],
      ["GET /acme/api/nothing", 404, undefined],
      ["GET /flat", 200, "/flat"],
      ["GET /also-flat", 200, "/also-flat"],
    ]);
  });

  test("a router that does not answer leaves no trace of its pattern", async () => {
    app
      .use("/:tenant", express.Router().get("/x", pass))
      .use("/acme", express.Router().get("/x", ok))
      .get("/:a/:b", ok);
    await expectRoutes([
      ["GET /acme/x", 200, "/acme/x"],
      ["GET /other/x", 200, "/:a/:b"],
      ["GET /acme/y", 200, "/:a/:b"],
    ]);
  });

  test("what nothing answers has no route, whatever it has passed", async () => {
    app.use("/api", pass).get("/gone/:id", pass).use("/last", express.Router().use("/inner", pass));
    await expectRoutes([
      ["GET /api/x", 404, undefined],
      ["GET /gone/1", 404, undefined],
      ["HEAD /gone/1", 404, undefined],
      ["GET /last/inner", 404, undefined],
    ]);
  });

  test("a router that a handler calls", async () => {
    const called = express.Router().get("/x/:id", ok);
    app.get("/x/:id", (message, response, next) => called(message, response, next));
    app.use(
      "/later",
      (message: IncomingMessage, response: ServerResponse, next: Next) =>
        void setTimeout(() => called(message, response, next), 2),
    );
    await expectRoutes([
      ["GET /x/1", 200, "/x/:id"],
      ["GET /later/x/1", 200, "/later/x/:id"],
    ]);
  });

  test("an app mounted in an app", async () => {
    const admin = express().get("/users/:id", ok);
    app.use("/admin", admin).use(["/v1", "/v2"], express().use("/shop", express.Router().get("/cart", ok)));
    await expectRoutes([
      ["GET /admin/users/1", 200, "/admin/users/:id"],
      ["GET /v2/shop/cart", 200, "/v2/shop/cart"],
      ["GET /v1/shop/cart", 200, "/v1/shop/cart"],
    ]);
  });

  test("of several paths, the one that matched", async () => {
    app.get(["/a", ["/b/:id", /^\/c\d+$/]], ok).use(["/m/:x", "/n"], express.Router().get("/", ok));
    app.use("/:top", express.Router().use(["/m/:x", "/n"], express.Router().get(["/", "/leaf"], ok)));
    await expectRoutes([
      ["GET /t/m/1", 200, "/:top/m/:x"],
      ["GET /t/n/leaf", 200, "/:top/n/leaf"],
      ["GET /a", 200, "/a"],
      ["GET /b/1", 200, "/b/:id"],
      ["GET /c12", 200, "/^\\/c\\d+$/"],
      ["GET /m/1", 200, "/m/:x"],
      ["GET /n", 200, "/n"],
    ]);
  });

  test("expressions and wildcards", async () => {
    app
      .get(/^\/commits\/(\w+)$/i, ok)
      .use(/^\/re/, express.Router().get("/x", ok))
      .get(`/files${rest}`, ok);
    await expectRoutes([
      ["GET /commits/abc", 200, "/^\\/commits\\/(\\w+)$/"],
      ["GET /re/x", 200, "/^\\/re//x"],
      ["GET /files/a/b", 200, `/files${rest}`],
    ]);
  });

  test("next('route') and next('router') go on to the route that answers", async () => {
    const skip: Handler = (_request, _response, next) => next("route");
    const leave: Handler = (_request, _response, next) => next("router");
    app
      .get("/a/:id", skip, fail)
      .use("/a", express.Router().get("/1", leave, fail))
      .get("/a/1", ok);
    await expectRoutes([["GET /a/1", 200, "/a/1"]]);
  });

  test("what fails keeps its route through error handlers", async () => {
    const router = express.Router().get("/broken/:id", fail);
    router.use("/thrown", () => {
      throw new Error("expected");
    });
    app
      .use("/api", router)
      .get("/async", (_request, _response, next) => void setTimeout(() => next(new Error("later")), 2));
    app.use("/api", answerError).use(answerError);
    await expectRoutes([
      ["GET /api/broken/1", 500, "/api/broken/:id"],
      ["GET /api/thrown", 500, "/api/thrown"],
      ["GET /async", 500, "/async"],
    ]);
    expect(heard.servers.map(({ errorType }) => errorType)).toEqual(["500", "500", "500"]);
  });

  test("a handler that is mounted on a path, and answers, has a route", async () => {
    app
      .use(pass)
      .use("/graphql", ok)
      .use("/guarded", (message: IncomingMessage, response: ServerResponse, next: Next) =>
        message.url === "/in" ? next() : response.writeHead(401).end(),
      );
    app.get("/guarded/in", ok);
    app.use((message: IncomingMessage, response: ServerResponse, next: Next) =>
      message.url === "/static" ? response.end() : next(),
    );
    await expectRoutes([
      ["GET /graphql", 200, "/graphql"],
      ["GET /guarded/out", 401, "/guarded"],
      ["GET /guarded/in", 200, "/guarded/in"],
      ["GET /static", 200, undefined],
      ["GET /else", 404, undefined],
    ]);
  });

  test("what runs on after the response does not change its route", async () => {
    const { promise: ranOn, resolve } = Promise.withResolvers<void>();
    app.get("/orders/:id", (_request, response, next) => void response.end("ok").once("close", next));
    app.get("/orders/:other", () => resolve());
    expect(await send(running.port, "GET /orders/1")).toEqual([200, "/orders/:id"]);
    await ranOn;
    expect(heard.servers.at(-1)?.request?.route).toBe("/orders/:id");
  });

  test("parameters that are looked up first", async () => {
    app.param("id", (_request, _response, next) => void setTimeout(next as Next, 2));
    app.get("/orders/:id", ok).use(answerError);
    await expectRoutes([["GET /orders/7", 200, "/orders/:id"]]);
  });

  test("handlers run in their request's context, after the body too", async () => {
    const seen: unknown[] = [];
    app.post("/body", express.json(), (message, response) => {
      seen.push(message.body, activeRequest()?.operation.path, activeRequest()?.route);
      response.end();
    });
    const sent = request({
      port: running.port,
      path: "/body",
      method: "POST",
      headers: { "content-type": "application/json", "content-length": "7" },
    });
    sent.write('{"a"');
    await new Promise((resolve) => setTimeout(resolve, 30));
    sent.end(":1}");
    await once(sent, "response");
    expect(seen).toEqual([{ a: 1 }, "/body", "/body"]);
  });

  test("200 interleaved requests keep their own route", async () => {
    const wait: Handler = (_request, _response, next) => void setTimeout(next, Math.random() * 8);
    const tenants = express.Router({ mergeParams: true }).use(wait);
    tenants.get("/a/:id", wait, ok).get(["/b/:id", "/c/:id"], wait, ok);
    app.use(wait).use(["/t/:tenant", "/u/:tenant"], wait, tenants).get("/d/:id", wait, ok);
    const agent = new Agent({ keepAlive: true, maxSockets: 25 });
    const paths = Array.from({ length: 200 }, (_, id) => {
      const leaf = "abcd".charAt(id % 4);
      return leaf === "d" ? `/d/${id}` : `/${id % 3 === 0 ? "t" : "u"}/acme/${leaf}/${id}`;
    });
    await Promise.all(
      paths.map(async (path) => {
        const [response] = (await once(request({ port: running.port, path, agent }).end(), "response")) as [
          IncomingMessage,
        ];
        await once(response.resume(), "end");
      }),
    );
    await until(
      () => heard.servers,
      ({ length }) => length === 200,
    );
    agent.destroy();
    const expected = paths.map((path) => [path, path.replace("acme", ":tenant").replace(/\d+$/, ":id")]);
    expect(heard.servers.map(({ path, request: of }) => [path, of?.route]).sort()).toEqual(expected.sort());
  });

  test("disable restores every function, and routers of the time between are not named wrongly", async () => {
    const [, routes] = instrumentations;
    const router = express.Router().use(pass);
    const { stack } = router as unknown as { stack: object[] };
    const find = (): unknown[] => {
      const layer = Object.getPrototypeOf(stack[0]) as Record<string, unknown>;
      const { use, handle } = router as unknown as Record<string, unknown>;
      return [use, handle, layer["handleRequest"] ?? layer["handle_request"]];
    };
    const patched = find();
    routes?.disable();
    const originals = find();
    for (const [index, original] of originals.entries()) {
      const [before, after] = [patched[index], original] as (() => void)[];
      expect(before).not.toBe(after);
      expect([before?.name, before?.length]).toEqual([after?.name, after?.length]);
    }
    app.use("/between", express.Router().get("/x", ok));
    routes?.enable();
    expect(find()).not.toEqual(originals);
    app.get("/after", ok);
    await expectRoutes([
      // Router 2.3 tells the pattern by itself; Express 4 does not, and half a route would be wrong.
      ["GET /between/x", 200, major === 5 ? "/between/x" : undefined],
      ["GET /after", 200, "/after"],
    ]);
    routes?.disable();
    expect(find()).toEqual(originals);
    expect(await fetch(`${running.url}/after`).then(({ status }) => status)).toBe(200);
  });
});

test("an Express 4 app within an Express 5 app, and a plain router under node:http", async () => {
  const [five, four] = versions.map(({ load }) => load());
  if (five === undefined || four === undefined) throw new Error("no Express");
  const app = five().use("/old", four().use("/:shop", four.Router().get("/x/:id", ok)));
  const running = await listen(createServer(app as unknown as RequestListener));
  expect(await send(running.port, "GET /old/shop-1/x/2")).toEqual([200, "/old/:shop/x/:id"]);
  await running.close();

  const router = five.Router().get("/alone/:id", ok);
  const plain = await listen(
    createServer((message, response) => void router(message, response, () => response.writeHead(404).end())),
  );
  expect(await send(plain.port, "GET /alone/2")).toEqual([200, "/alone/:id"]);
  expect(await send(plain.port, "GET /nothing")).toEqual([404, undefined]);
  await plain.close();
});
