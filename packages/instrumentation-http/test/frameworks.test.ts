import { SpanKind } from "@opentelemetry/api";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { describe, expect, test } from "vitest";
import {
  expressInstrumentation,
  fastifyInstrumentation,
  hapiInstrumentation,
  honoInstrumentation,
  httpInstrumentation,
  koaInstrumentation,
} from "../src/index.js";
import { frameworks, mainOf } from "./frameworks.js";
import { hear } from "./hear.js";
import { listen, until } from "./serve.js";

const instrumentations = [
  httpInstrumentation(),
  expressInstrumentation(),
  fastifyInstrumentation(),
  hapiInstrumentation(),
  honoInstrumentation(),
  koaInstrumentation(),
];

test.each(frameworks.filter(({ name }) => name === "fastify"))(
  "the hooks of Fastify $version are the app's alone",
  async ({ load }) => {
    const heard = hear(...instrumentations);
    try {
      const app = mainOf(await load("fastify"))();
      app.get("/", async () => "ok");
      await app.ready();
      expect(app.printRoutes({ includeHooks: true })).not.toContain("(onRequest)");
    } finally {
      heard.stop();
    }
  },
);

describe.each(frameworks)("$name $version", ({ create, load, name, parameter, rest, version }) => {
  const [id, item, tenant] = [parameter("id"), parameter("item"), parameter("tenant")];
  const notAllowed = name === "koa" ? 405 : 404;
  // Of Hono 4.0 alone, too.
  const head = version.startsWith("4.0.") ? 500 : 200;
  const refused = name.startsWith("NestJS") ? 403 : 401;
  const cases: [line: string, status: number, route: string | undefined][] = [
    ["GET /", 200, "/"],
    ["GET /?a=1", 200, "/"],
    ["GET /orders/latest", 200, "/orders/latest"],
    ["GET /orders/7", 200, `/orders/${id}`],
    ["GET /orders/7?a=1", 200, `/orders/${id}`],
    ["HEAD /orders/7", head, `/orders/${id}`],
    ["POST /orders/7", 200, `/orders/${id}`],
    ["GET /acme/api/items/3", 200, `/${tenant}/api/items/${item}`],
    ["GET /acme/api/items/3%20b", 200, `/${tenant}/api/items/${item}`],
    ["GET /files/a/b.txt", 200, rest],
    ["GET /fails/7", 500, `/fails/${id}`],
    ["GET /refused/7", refused, `/refused/${id}`],
    ["PUT /orders/7", notAllowed, undefined],
    ["GET /nothing/at/all", 404, undefined],
    ["GET /acme/api/nothing", 404, undefined],
  ];

  const lines = cases.map(([line]) => line);

  test("the routes are its patterns, with all prefixes, and the answers are those of the app alone", async () => {
    let heard = hear(...instrumentations);
    const running = await listen(await create(load));
    const routesOf = async (sent: readonly string[]) => {
      const answers = await answersOf(running.port, sent);
      const servers = await until(
        () => heard.servers,
        ({ length }) => length === sent.length,
      );
      return { answers, routes: servers.map(({ request }) => request?.route) };
    };
    try {
      const { answers, routes } = await routesOf(lines);
      expect(lines.map((line, n) => [line, answers[n]?.status, routes[n]])).toEqual(cases);
      // And no span for a step of the framework.
      expect(heard.spans.filter(({ kind }) => kind !== SpanKind.CLIENT).length).toBe(cases.length);

      heard.stop();
      const alone = await listen(await create(load));
      expect(answers).toEqual(await answersOf(alone.port, lines));
      expect(answers).toEqual(await answersOf(running.port, lines));
      await alone.close();

      heard = hear(...instrumentations);
      expect((await routesOf(["GET /orders/8"])).routes).toEqual([`/orders/${id}`]);
    } finally {
      await running.close();
      heard.stop();
    }
  });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: unknown;
  readonly body: string;
}

/** What each line is answered, one after the other; without what differs from one moment to the next. */
async function answersOf(port: number, lines: readonly string[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const line of lines) {
    const [method, path] = line.split(" ");
    const [response] = (await once(request({ port, method, path }).end(), "response")) as [IncomingMessage];
    const { date: _date, ...headers } = response.headers;
    answers.push({
      status: response.statusCode,
      headers,
      body: (await response.setEncoding("utf8").toArray()).join(""),
    });
  }
  return answers;
}
