import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { Slices } from "@telltale/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Page } from "../../src/index.js";
import { NO_WORDS, packFrame } from "../../src/merge/frames.js";
import { Hub } from "../../src/merge/hub.js";
import { Ledger } from "../../src/merge/ledger.js";
import { ReportEncoder } from "../../src/merge/report-encoder.js";
import { findHub, type Reporter } from "../../src/merge/reporter.js";
import { nextTurn } from "../../src/merge/turns.js";
import { counter } from "../pages.js";

let path = "";
const undo: (() => unknown)[] = [];
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-hand-over-"));
  path = join(folder, "hub");
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

const resource = { attributes: {} };

/** What a process counted, by what. */
function pageWith(...counted: [what: string, count: number][]): Page {
  const metrics = [
    counter(
      "orders",
      counted.map(([what, count]) => [{ what }, count]),
    ),
  ];
  return { resource, scopeMetrics: [{ scope: { name: "app" }, metrics }] };
}

function ordersOn(page: Page): Record<string, unknown> {
  const orders: Record<string, unknown> = {};
  for (const { dataPoints } of page.scopeMetrics[0]?.metrics ?? []) {
    for (const { attributes, value } of dataPoints) orders[String(attributes["what"])] = value;
  }
  return orders;
}

function startHub(ledger = new Ledger()): Hub {
  const hub = new Hub({ path, url: "http://hub/metrics", member: "hub", ledger });
  undo.push(() => hub.close());
  return hub;
}

/** Each as if it were a process of its own. */
async function enter(member: string, page: Page = pageWith()): Promise<Reporter> {
  const collect = (): Promise<Page> => Promise.resolve(page);
  const reporter = await findHub({ path, member, isThread: false, parent: undefined, gauges: {}, collect });
  if (reporter === undefined) throw new Error("nobody is there");
  undo.push(() => reporter.close());
  return reporter;
}

function open(): Socket {
  const socket = connect({ path }).on("error", () => {});
  undo.push(() => socket.destroy());
  return socket;
}

async function ordersOf(ledger: Ledger | undefined): Promise<Record<string, unknown> | undefined> {
  return ledger && ordersOn(await ledger.page(resource, new Slices()));
}

test("what is handed over in the last moment arrives, whatever the heir is just writing", async () => {
  const hub = startHub();
  const heir = await enter("heir", pageWith(["read", 1]));
  expect(ordersOn(await hub.merge(pageWith(["sold", 1])))).toEqual({ sold: 1, read: 1 });
  hub.handOver(pageWith(["sold", 2]));
  hub.close();
  // Nothing of it has been read yet, and now writing fails: the other end is gone.
  heir.reportAtOnce(pageWith(["read", 2]));
  expect(await ordersOf(await heir.ended)).toEqual({ sold: 2, read: 1 });
});

test("what a process says as it ends arrives, whatever it is just asked", async () => {
  const hub = startHub();
  const [heir, other] = [await enter("heir"), await enter("other", pageWith(["read", 1]))];
  expect(ordersOn(await hub.merge(pageWith()))).toEqual({ read: 1 });
  other.reportAtOnce(pageWith(["read", 2]));
  other.close();
  expect(ordersOn(await hub.merge(pageWith()))).toEqual({ read: 2 });
  hub.close();
  expect(await ordersOf(await heir.ended)).toEqual({ read: 2 });
});

test("an heir that has just been appointed gets all that was before it", async () => {
  const ledger = new Ledger();
  const before: Record<string, number> = {};
  for (let n = 0; n < 50; n++) {
    const source = `source-${n}`;
    before[source] = n;
    ledger.apply({ op: "join", source, member: source, slot: n }, NO_WORDS);
    const { scopeMetrics } = pageWith([source, n]);
    for (const { report, words } of new ReportEncoder().encode(scopeMetrics)) {
      ledger.apply({ op: "report", source, report }, words);
    }
    ledger.apply({ op: "complete", source }, NO_WORDS);
  }
  const hub = startHub(ledger);
  const heir = await enter("heir");
  while (!hub.hasHeir) await nextTurn();
  hub.handOver(pageWith(["sold", 1]));
  hub.close();
  expect(await ordersOf(await heir.ended)).toEqual({ ...before, sold: 1 });
});

test("thousands that come and go and nobody who looks: what they counted stays, and they do not", async () => {
  const ledger = new Ledger();
  startHub(ledger);
  for (let n = 0; n < 1_010; n++) {
    const one = await enter(`thread ${n}`, pageWith(["book", 1]));
    await one.report();
    one.close();
  }
  await vi.waitFor(async () => expect(await ordersOf(ledger)).toEqual({ book: 1_010 }));
  const known = (): number => [...ledger.dump()].flat().filter(([{ op }]) => op === "join").length;
  // Beside the last thousand the one that serves, and those who will not be back as one.
  await vi.waitFor(() => expect(known()).toBeLessThanOrEqual(1_002));
});

test("word of the heir is there as long as there is one, and stays when the one that served is gone", async () => {
  const word = (): string => (existsSync(`${path}.heir`) ? readFileSync(`${path}.heir`, "utf8") : "");
  const hub = startHub();
  expect(word()).toBe("");
  const first = await enter("first");
  await vi.waitFor(() => expect(word()).toBe(String(process.pid)));
  first.close();
  await vi.waitFor(() => expect(word()).toBe(""));
  const { ended } = await enter("second");
  await vi.waitFor(() => expect(word()).toBe(String(process.pid)));
  hub.close();
  await ended;
  await setTimeout(50);
  expect(word()).toBe(String(process.pid));
  startHub();
  expect(word()).toBe("");
});

test("what a process says that ends as soon as it is welcome arrives, and nobody waits for it", async () => {
  const hub = startHub();
  const reporter = await enter("short", pageWith(["read", 1]));
  reporter.reportAtOnce(pageWith(["read", 2]));
  reporter.close();
  expect(await reporter.ended).toBeUndefined();
  const beganMs = performance.now();
  expect(ordersOn(await hub.merge(pageWith()))).toEqual({ read: 2 });
  expect(performance.now() - beganMs).toBeLessThan(800);
});

test("whoever has just been welcomed is asked in the next scrape", async () => {
  const hub = startHub();
  await enter("first", pageWith(["read", 1]));
  expect(ordersOn(await hub.merge(pageWith()))).toEqual({ read: 1 });
  await enter("second", pageWith(["written", 1]));
  expect(ordersOn(await hub.merge(pageWith()))).toEqual({ read: 1, written: 1 });
});

test("a process that serves may end before the other one listens", async () => {
  const hub = startHub();
  const reporter = await enter("late");
  hub.close();
  expect(await reporter.ended).toBeUndefined();
});

test("who serves no more has no connection left, not even to those who have said nothing", async () => {
  const hub = startHub();
  const silent = open();
  await once(silent, "connect");
  const { ended } = await enter("other");
  hub.close();
  await Promise.all([ended, once(silent, "close")]);
});

const hello = packFrame({ is: "hello", source: "x", member: "y", canServe: true });
const listen = packFrame({ is: "listen", source: "x" });
const done = packFrame({ is: "done", n: 1 });

test.each([
  ["for somebody who is not there", [[packFrame({ is: "listen", source: "z" })]]],
  ["and then speaks", [[hello], [listen, done]]],
  ["twice", [[hello], [listen], [listen]]],
])("whoever listens %s is left, and the others are heard", async (_, said) => {
  const hub = startHub();
  await enter("other", pageWith(["read", 1]));
  let last: Socket | undefined;
  for (const words of said) {
    last = open();
    last.write(Buffer.concat(words));
    if (words[0] === hello) await once(last, "data");
  }
  if (last !== undefined) await once(last.resume(), "close");
  expect(ordersOn(await hub.merge(pageWith()))).toEqual({ read: 1 });
});
