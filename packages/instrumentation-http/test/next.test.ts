import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { httpInstrumentation, nextInstrumentation } from "../src/index.js";
import { hear } from "./hear.js";
import { serve, until } from "./serve.js";

// Next.js has 340 MB and is built for ten seconds before it serves: this is no Next.js, only the two classes of its server with the
// methods that are heard, called as `next start` of 14.2 and 16.4 calls them.
const files: Record<string, string> = {
  "package.json": '{"name":"next","version":"16.4.6","main":"./dist/server/next.js"}',
  "dist/server/next.js": 'exports.createServer = () => new (require("./next-server.js").default)();',
  "dist/server/base-server.js": `exports.default = class Server {
  nextConfig = { basePath: "/docs" };
  async renderToResponseWithComponents(context, found) { return found; }
};`,
  "dist/server/next-server.js": `exports.default = class NextNodeServer extends require("./base-server.js").default {
  async handleApiRequest(req, res, query, match) { return true; }
};`,
};

interface NextServer {
  renderToResponseWithComponents(context: object, found: object): Promise<unknown>;
  handleApiRequest(req: object, res: object, query: object, match: object): Promise<unknown>;
}

const folder = mkdtempSync(join(tmpdir(), "telltale-next-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("pages, route handlers and API routes that were found are routes; what says that none was found is none", async () => {
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, "node_modules/next", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  const heard = hear(httpInstrumentation(), nextInstrumentation());
  const { createServer } = createRequire(join(folder, "app.js"))("next") as { createServer: () => NextServer };
  const next = createServer();
  const answer = async (message: IncomingMessage, response: ServerResponse) => {
    const [req, found] = [{ originalRequest: message }, { components: 1 }];
    const render = (pathname: string) => next.renderToResponseWithComponents({ req, pathname }, found);
    const { url } = message;
    if (url === "/docs/old/7") {
      expect(await next.handleApiRequest(req, {}, {}, { definition: { pathname: "/old/[id]" } })).toBe(true);
    } else {
      // A page that fails is followed by the one for errors.
      expect(await render(url === "/docs/nothing" ? "/_not-found" : "/shop/[slug]")).toBe(found);
      if (url === "/docs/shop/fails") await render("/_error");
    }
    response.end();
  };
  const running = await serve((message, response) => void answer(message, response));
  for (const path of ["/docs/shop/1", "/docs/shop/fails", "/docs/old/7", "/docs/nothing"]) {
    const [response] = (await once(request({ port: running.port, path }).end(), "response")) as [IncomingMessage];
    response.resume();
  }
  const servers = await until(
    () => heard.servers,
    ({ length }) => length === 4,
  );
  expect(servers.map((operation) => operation.request?.route)).toEqual([
    "/docs/shop/[slug]",
    "/docs/shop/[slug]",
    "/docs/old/[id]",
    undefined,
  ]);
  await running.close();
  heard.stop();
});
