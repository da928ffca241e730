import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createWriter } from "../src/store/create-writer.js";
import { openStore, StoreFileError } from "../src/store/open-store.js";
import { span, traces } from "./otlp-builders.js";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-store-"));
  file = join(folder, "telemetry.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

const many = (count: number) => traces(Array.from({ length: count }, () => span({ about: { text: "x".repeat(500) } })));

async function errorOf(path: string): Promise<StoreFileError> {
  try {
    (await openStore(path)).close();
  } catch (error) {
    if (error instanceof StoreFileError) return error;
    throw error;
  }
  throw new Error("it was opened");
}

test("what was written is there again, and goes on", async () => {
  const before = await openStore(file);
  createWriter(before).writeTraces(many(10));
  before.db.exec("INSERT INTO muted VALUES ('f1')");
  before.close();
  const after = await openStore(file);
  const writer = createWriter(after, { spans: 15 });
  expect(writer.counters().spans).toMatchObject({ received: 0, held: 10 });
  writer.writeTraces(many(10));
  expect(writer.counters().spans).toMatchObject({ received: 10, held: 15, forgotten: 5 });
  expect(
    after.db
      .prepare(
        "SELECT count(*) AS spans, (SELECT count(*) FROM resource) AS resources, (SELECT finding_id FROM muted) AS muted FROM span",
      )
      .get(),
  ).toEqual({ spans: 15, resources: 1, muted: "f1" });
  after.close();
});

test("a process that is killed while it writes leaves all that it said it had written", async () => {
  const dist = fileURLToPath(new URL("../dist/", import.meta.url));
  const program = `
    import { openStore } from ${JSON.stringify(`${dist}store/open-store.js`)};
    import { createWriter } from ${JSON.stringify(`${dist}store/create-writer.js`)};
    import { writeSync } from "node:fs";
    const writer = createWriter(await openStore(${JSON.stringify(file)}));
    for (let made = 1; ; ) {
      const spans = Array.from({ length: 50 }, () => ({ traceId: "a".repeat(32), spanId: (made++).toString(16).padStart(16, "0") }));
      writer.writeTraces({ resourceSpans: [{ scopeSpans: [{ spans }] }] });
      writeSync(1, made - 1 + "\\n");
    }`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const part of child.stdout) {
    said += String(part);
    if (Number(said.trim().split("\n").at(-1)) > 5_000) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  const written = Math.max(...said.split("\n").slice(0, -1).map(Number));
  expect(written).toBeGreaterThan(5_000);
  const store = await openStore(file);
  const { spans, first, last } =
    store.db.prepare("SELECT count(*) AS spans, min(id) AS first, max(id) AS last FROM span").get() ?? {};
  expect([first, last]).toEqual([1, spans]);
  // All that was said, and at most one request more.
  expect(Number(spans)).toBeGreaterThanOrEqual(written);
  expect(Number(spans)).toBeLessThanOrEqual(written + 50);
  store.close();
});

test("a file that is smaller than it was is damaged", async () => {
  const store = await openStore(file);
  createWriter(store).writeTraces(many(500));
  store.close();
  const copy = join(folder, "copy.db");
  copyFileSync(file, copy);
  truncateSync(copy, statSync(file).size / 2);
  expect((await errorOf(copy)).message).toBe(`${copy} is damaged: delete it, or name another file`);
});

test("one process at a time has the file", async () => {
  const store = await openStore(file);
  expect((await errorOf(file)).message).toContain("is in use: by another viewer?");
  store.close();
  (await openStore(file)).close();
});

test("somebody else's file is left alone", async () => {
  const text = "Dear diary, ".repeat(1_000);
  writeFileSync(file, text);
  expect((await errorOf(file)).message).toContain("is no database: name another file");
  expect(statSync(file).size).toBe(text.length);

  const other = join(folder, "app.db");
  const db = new DatabaseSync(other);
  db.exec("CREATE TABLE customers (name TEXT)");
  db.close();
  expect((await errorOf(other)).message).toContain("is a database of something else");
  const again = new DatabaseSync(other);
  expect(again.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
  expect(again.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "delete" });
  again.close();
});

test("a file of another version is refused, a folder that is not there as well", async () => {
  (await openStore(file)).close();
  const db = new DatabaseSync(file);
  db.exec("PRAGMA user_version = 7");
  db.close();
  expect((await errorOf(file)).message).toContain("was written by another version of Telltale");
  expect((await errorOf(join(folder, "no", "such.db"))).message).toContain(
    "cannot be opened: unable to open database file",
  );
});
