import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const WORKERS = 8;
const MEAN_PAUSE_MS = 25;
/** Everybody in the office opens the report at once. */
const REPORT_READERS = 6;
const WORDS = ["copper", "lantern", "walnut", "kettle", "folding", "balcony", "brush", "marble", "teapot", "cooks"];
const CATEGORIES = ["kitchen", "garden", "office", "travel", "outdoor"];

const below = (limit) => Math.floor(Math.random() * limit);
const pick = (list) => list[below(list.length)];
// Few products are asked for often, most of them rarely.
const popularProduct = () => 1 + Math.floor(20_000 * Math.random() ** 6);

/** What visitors do, and how often: the weights are relative. */
const visits = [
  [50, () => get(`/products/${popularProduct()}`)],
  [12, () => get(`/products?category=${pick(CATEGORIES)}&page=${1 + below(4)}`)],
  [6, () => get("/orders")],
  [6, () => get("/orders-batched")],
  [1, () => get(`/search?q=${pick(WORDS)}+${pick(WORDS)}`)],
  [6, () => get(`/search-indexed?q=${pick(WORDS)}+${pick(WORDS)}`)],
  [6, () => checkout()],
  [1, () => get("/products/404404")],
  [2, () => get("/health")],
];
const totalWeight = visits.reduce((sum, [weight]) => sum + weight, 0);

const get = (path) => ({ method: "GET", path });

function checkout() {
  const items = Array.from({ length: 1 + below(3) }, () => ({ productId: popularProduct(), quantity: 1 + below(2) }));
  const card = Math.random() < 0.1 ? "4111111111110000" : "4111111111111111";
  return { method: "POST", path: "/checkout", body: JSON.stringify({ customerId: 1 + below(2000), card, items }) };
}

/** Smooth weighted round-robin: the shares are exact and the same on every run, whatever is visited is still random. */
function createVisits() {
  const turns = visits.map(([weight, create]) => ({ weight, create, credit: 0 }));
  return () => {
    for (const turn of turns) turn.credit += turn.weight;
    const next = turns.reduce((best, turn) => (turn.credit > best.credit ? turn : best));
    next.credit -= totalWeight;
    return next.create();
  };
}

/**
 * Visits the shop for `seconds` with a few visitors at a time, three times with a rush on the report. Counts what was sent
 * and what was not answered; `onProgress` hears both four times a second. Rejects when `signal` aborts.
 */
export async function driveLoad({ url, seconds, signal, onProgress }) {
  const agent = new Agent({ keepAlive: true });
  const counts = { sent: 0, unanswered: 0, elapsed: 0 };
  const nextVisit = createVisits();
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const visit = async (what) => {
    counts.sent++;
    await send(agent, url, what, signal).catch(() => counts.unanswered++);
  };

  async function visitor() {
    while (elapsed() < seconds && !signal.aborted) {
      await visit(nextVisit());
      await sleep(Math.random() * 2 * MEAN_PAUSE_MS);
    }
  }
  async function rush(at, path) {
    await sleep(at * seconds * 1000, undefined, { signal });
    await Promise.all(Array.from({ length: REPORT_READERS }, () => visit(get(path))));
  }

  const progress = setInterval(() => onProgress({ ...counts, seconds, elapsed: elapsed() }), 250);
  try {
    await Promise.all([
      ...Array.from({ length: WORKERS }, visitor),
      rush(0.2, "/report"),
      rush(0.4, "/report-released"),
      rush(0.6, "/report"),
      rush(0.8, "/report"),
    ]);
    signal.throwIfAborted();
    counts.elapsed = elapsed();
    return counts;
  } finally {
    clearInterval(progress);
    agent.destroy();
  }
}

function send(agent, url, { method, path, body }, signal) {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const outgoing = request(new URL(path, url), { agent, method, headers, signal }, (response) => {
      response.on("error", reject);
      response.on("end", resolve);
      response.resume();
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
