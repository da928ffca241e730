import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { type Queries, type Requests, startViewer } from "@telltale/viewer";
import { compressPng } from "./compress-png.js";
import { allPages, visit } from "./pages.js";
import { ask } from "./send.js";
import { type Look, startBrowser } from "./start-browser.js";
import { startShop } from "./start-shop.js";

// `npm run screenshots`: every page of the viewer, with what examples/shop does while it is visited, into docs/viewer. Two minutes.

const SHOP = new URL("../../../examples/shop/", import.meta.url);
const FOLDER = fileURLToPath(new URL("../../../docs/viewer/", import.meta.url));
/** Findings are told again after a minute, with how often they came. */
const VISITED_SECONDS = 70;
/** They are part of the repository. */
const MAX_BYTES = 150_000;

interface Load {
  driveLoad(options: { url: string; seconds: number; signal: AbortSignal; onProgress: () => void }): Promise<unknown>;
}

await using running = new AsyncDisposableStack();
const viewer = running.adopt(await startViewer({ port: 0, otlpPort: 0 }), (one) => one.close());
const shop = running.adopt(await startShop(viewer.otlpUrl), (one) => one.stop());
const browser = running.adopt(await startBrowser(), (one) => one.close());
console.log(`visiting the shop for ${VISITED_SECONDS} s …`);
const { driveLoad } = (await import(new URL("demo/load.js", SHOP).href)) as Load;
const end = new AbortController();
const visiting = driveLoad({ url: shop.url, seconds: 600, signal: end.signal, onProgress: () => {} }).catch(() => {});
await sleep(VISITED_SECONDS * 1000);

const read = async <T>(path: string): Promise<T> => JSON.parse((await ask(viewer.url, path)).text) as T;
const orders = await read<Requests>(`/api/requests?route=${encodeURIComponent("GET /orders")}`);
const byDuration = orders.requests.toSorted((a, b) => a.durationMs - b.durationMs);
const usual = byDuration[byDuration.length >> 1];
const checkouts = await read<Requests>(`/api/requests?route=${encodeURIComponent("POST /checkout")}`);
const { queries } = await read<Queries>("/api/queries");
const pages = allPages({
  trace: usual?.traceId ?? "",
  other: byDuration.at(-1)?.traceId ?? "",
  fingerprint: queries[0]?.fingerprint ?? "",
  metric: "http.server.request.duration",
  query: "minutes=1",
});

await mkdir(FOLDER, { recursive: true });
for (const { name, path } of pages) await shoot(name, path);
await shoot("now-dark", "/?minutes=1", { scheme: "dark" });
await shoot("trace-dark", `/trace/${checkouts.requests[0]?.traceId}`, { scheme: "dark" });
await shoot("now-narrow", "/?minutes=1", { width: 390, height: 760 });
await shoot("requests-narrow", "/requests", { width: 390, height: 760, scheme: "dark" });

end.abort();
await visiting;

async function shoot(name: string, path: string, look: Look = {}): Promise<void> {
  const watched = await browser.open(viewer.url, look);
  // Where the shop lies on this machine is nobody's business.
  await watched.page.route(/\/api\/(?!live)/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replaceAll(fileURLToPath(SHOP), "") });
  });
  await visit(watched, viewer.url, path);
  // Charts are drawn after what they stand in.
  await sleep(700);
  const picture = compressPng(await watched.page.screenshot());
  console.log(`${name}.png ${Math.round(picture.length / 1000)} KB`);
  if (picture.length > MAX_BYTES)
    throw new Error(`${name}.png has ${picture.length} bytes, more than ${MAX_BYTES}: show less of it`);
  await writeFile(`${FOLDER}${name}.png`, picture);
  if (watched.problems.length > 0) throw new Error(`${name}: ${watched.problems.join("\n")}`);
  // One that is being answered still would be an error.
  await watched.page.unrouteAll({ behavior: "ignoreErrors" });
  await watched.close();
}
