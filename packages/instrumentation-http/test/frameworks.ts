import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createRequire } from "node:module";

// The same small app, as each framework has it:
//
//   GET  /                            POST, GET /orders/:id            GET /fails/:id       throws
//   GET  /refused/:id                 refused with 401 before its handler runs
//   GET  /files/<anything below>      GET /:tenant/api/items/:item     in two nested routers with prefixes
//   GET  /orders/latest               more special than /orders/:id

/** Loads a package as the app would: the newest by `import`, the oldest by `require`. */
export type Load = (name: string) => Promise<Exports>;
// What each of these packages exports is not the subject here: whatever is wrong shows in the routes.
// oxlint-disable-next-line no-explicit-any
type Exports = any;

export interface Framework {
  readonly name: string;
  readonly version: string;
  readonly create: (load: Load) => Promise<Server>;
  /** How it writes a parameter. */
  readonly parameter: (name: string) => string;
  /** Its pattern for `/files/a/b.txt`. */
  readonly rest: string;
  readonly load: Load;
}

const old = createRequire(new URL("../../../.old-majors/package.json", import.meta.url));
const newest: Load = async (name) => import(/* @vite-ignore */ name);
const oldest: Load = async (name) => old(name) as Exports;

/** Of an ES module or of CommonJS. */
export const mainOf = (exports: Exports): Exports => exports.default ?? exports;

async function createExpress(load: Load, rest: string): Promise<Server> {
  const express = mainOf(await load("express"));
  const ok = (_request: unknown, response: Exports) => response.end("ok");
  const refuse = (_request: unknown, response: Exports) => response.status(401).end();
  const fail = () => {
    // Express answers with the stack.
    throw Object.assign(new Error("expected"), { stack: "expected" });
  };
  const app = express();
  app.get("/", ok).get("/orders/latest", ok).get("/orders/:id", ok).post("/orders/:id", ok).get("/fails/:id", fail);
  app.get("/refused/:id", refuse, ok).get(rest, ok);
  const items = express.Router({ mergeParams: true }).get("/:item", ok);
  app.use("/:tenant/api", express.Router({ mergeParams: true }).use("/items", items));
  return createServer(app as RequestListener);
}

async function createFastify(load: Load): Promise<Server> {
  const app = mainOf(await load("fastify"))();
  const ok = async () => "ok";
  const fail = async () => {
    throw new Error("expected");
  };
  app.get("/", ok).get("/orders/latest", ok).get("/orders/:id", ok).post("/orders/:id", ok).get("/fails/:id", fail);
  const refuse = async (_request: unknown, reply: Exports) => reply.code(401).send("no");
  app.get("/refused/:id", { onRequest: refuse }, ok).get("/files/*", ok);
  app.register(
    async (outer: Exports) => outer.register(async (inner: Exports) => inner.get("/:item", ok), { prefix: "/items" }),
    { prefix: "/:tenant/api" },
  );
  await app.ready();
  return app.server;
}

async function createKoa(load: Load, library: "@koa/router" | "koa-router", rest: string): Promise<Server> {
  const app = new (mainOf(await load("koa")))();
  const Router = mainOf(await load(library));
  app.silent = true;
  const ok = (context: Exports) => void (context.body = "ok");
  const fail = () => {
    throw new Error("expected");
  };
  const refuse = (context: Exports) => context.throw(401);
  const router = new Router();
  router.use((_context: unknown, next: () => unknown) => next());
  router.get("/", ok).get("/orders/latest", ok).get("/orders/:id", ok).post("/orders/:id", ok).get("/fails/:id", fail);
  router.get("/refused/:id", refuse, ok).get(rest, ok);
  const items = new Router({ prefix: "/items" }).get("/:item", ok);
  const api = new Router({ prefix: "/:tenant/api" }).use(items.routes());
  app.use(router.routes()).use(router.allowedMethods()).use(api.routes());
  return createServer(app.callback() as RequestListener);
}

async function createHapi(load: Load): Promise<Server> {
  const server = mainOf(await load("@hapi/hapi")).server({ debug: false });
  const handler = () => "ok";
  const fail = () => {
    throw new Error("expected");
  };
  server.auth.scheme("none", () => ({
    authenticate: (_request: unknown, reply: Exports) => reply.response().code(401).takeover(),
  }));
  server.auth.strategy("none", "none");
  server.route([
    ...["/", "/orders/latest", "/orders/{id}", "/files/{rest*}"].map((path) => ({ method: "GET", path, handler })),
    { method: "POST", path: "/orders/{id}", handler },
    { method: "GET", path: "/fails/{id}", handler: fail },
    { method: "GET", path: "/refused/{id}", handler, options: { auth: "none" } },
  ]);
  const items = {
    name: "items",
    register: (inner: Exports) => inner.route({ method: "GET", path: "/{item}", handler }),
  };
  const api = {
    name: "api",
    register: (inner: Exports) => inner.register(items, { routes: { prefix: "/items" } }),
  };
  await server.register(api, { routes: { prefix: "/{tenant}/api" } });
  await server.initialize();
  return server.listener;
}

async function createHono(load: Load, entry: string): Promise<Server> {
  const { Hono } = await load(entry);
  const { createAdaptorServer } = await load("@hono/node-server");
  const app = new Hono();
  const ok = (context: Exports) => context.text("ok");
  const fail = () => {
    throw new Error("expected");
  };
  app.use("*", (_context: unknown, next: () => unknown) => next());
  app.use("/refused/*", (context: Exports, next: () => unknown) =>
    context.req.header("let-me-in") === undefined ? context.text("no", 401) : next(),
  );
  app.get("/", ok).get("/orders/latest", ok).get("/orders/:id", ok).post("/orders/:id", ok).get("/fails/:id", fail);
  app.get("/refused/:id", ok).get("/files/*", ok);
  app.route("/:tenant/api", new Hono().route("/items", new Hono().get("/:item", ok)));
  app.onError((_error: unknown, context: Exports) => context.text("failed", 500));
  return createAdaptorServer({ fetch: app.fetch });
}

async function createNest(load: Load, adapter: "express" | "fastify", rest: string): Promise<Server> {
  await load("reflect-metadata");
  const { Controller, Get, HttpCode, Module, Post, UseGuards } = await load("@nestjs/common");
  const { NestFactory } = await load("@nestjs/core");
  const platform = await load(`@nestjs/platform-${adapter}`);
  class Refuse {
    canActivate() {
      return false;
    }
  }
  class Root {
    ok() {
      return "ok";
    }
    latest() {
      return "ok";
    }
    one() {
      return "ok";
    }
    add() {
      return "ok";
    }
    fail() {
      throw new Error("expected");
    }
    refused() {
      return "ok";
    }
    rest() {
      return "ok";
    }
  }
  class Items {
    one() {
      return "ok";
    }
  }
  const decorate = (Class: { prototype: object }, method: string, ...decorators: Exports[]) => {
    const descriptor = Object.getOwnPropertyDescriptor(Class.prototype, method);
    for (const decorator of decorators) decorator(Class.prototype, method, descriptor);
  };
  decorate(Root, "ok", Get());
  decorate(Root, "latest", Get("orders/latest"));
  decorate(Root, "one", Get("orders/:id"));
  decorate(Root, "add", Post("orders/:id"), HttpCode(200));
  decorate(Root, "fail", Get("fails/:id"));
  decorate(Root, "refused", Get("refused/:id"), UseGuards(Refuse));
  decorate(Root, "rest", Get(rest));
  decorate(Items, "one", Get("items/:item"));
  Controller()(Root);
  Controller(":tenant/api")(Items);
  class App {
    readonly controllers = [Root, Items];
  }
  Module({ controllers: [Root, Items] })(App);
  const made = adapter === "fastify" ? new platform.FastifyAdapter() : new platform.ExpressAdapter();
  const app = await NestFactory.create(App, made, { logger: false });
  await app.init();
  if (adapter === "fastify") await app.getHttpAdapter().getInstance().ready();
  return app.getHttpServer();
}

const colon = (name: string): string => `:${name}`;
const braces = (name: string): string => `{${name}}`;

function row(name: string, load: Load, rest: string, create: Framework["create"], parameter = colon): Framework {
  const versioned = name.startsWith("NestJS") ? "@nestjs/core" : name;
  const folder = new URL(
    `../../../${load === newest ? "" : ".old-majors/"}node_modules/${versioned}/`,
    import.meta.url,
  );
  const { version } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as { version: string };
  return { name, version, load, rest, create, parameter };
}

export const frameworks: readonly Framework[] = [
  row("express", newest, "/files/*rest", (load) => createExpress(load, "/files/*rest")),
  row("express", oldest, "/files/*", (load) => createExpress(load, "/files/*")),
  row("fastify", newest, "/files/*", createFastify),
  row("fastify", oldest, "/files/*", createFastify),
  row("koa", newest, "/files/*rest", (load) => createKoa(load, "@koa/router", "/files/*rest")),
  row("koa", oldest, "/files/(.*)", (load) => createKoa(load, "@koa/router", "/files/(.*)")),
  row("koa", newest, "/files/*rest", (load) => createKoa(load, "koa-router", "/files/*rest")),
  row("koa", oldest, "/files/(.*)", (load) => createKoa(load, "koa-router", "/files/(.*)")),
  row("@hapi/hapi", newest, "/files/{rest*}", createHapi, braces),
  row("@hapi/hapi", oldest, "/files/{rest*}", createHapi, braces),
  row("hono", newest, "/files/*", (load) => createHono(load, "hono/tiny")),
  row("hono", newest, "/files/*", (load) => createHono(load, "hono")),
  row("hono", oldest, "/files/*", (load) => createHono(load, "hono")),
  row("NestJS on express", newest, "/files/*rest", (load) => createNest(load, "express", "files/*rest")),
  row("NestJS on express", oldest, "/files/*", (load) => createNest(load, "express", "files/*")),
  row("NestJS on fastify", newest, "/files/*", (load) => createNest(load, "fastify", "files/*")),
  row("NestJS on fastify", oldest, "/files/*", (load) => createNest(load, "fastify", "files/*")),
];
