import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clearPlace, meetingPlace, meetingPlaceOf } from "../../src/merge/meeting-place.js";

const company = { service: "shop", host: "127.0.0.1", port: 9464 };
const before = process.env["TMPDIR"];
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-place-"));
  process.env["TMPDIR"] = folder;
});
afterEach(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(folder, { recursive: true, force: true });
});

describe("where processes meet", () => {
  test("the same for the same service, host and port, and for nobody else", () => {
    const places = [
      company,
      { ...company, service: "cart" },
      { ...company, host: "0.0.0.0" },
      { ...company, port: 9465 },
    ].map(meetingPlace);
    expect(new Set(places).size).toBe(4);
    expect(meetingPlace({ ...company })).toBe(places[0]);
    expect(places[0]?.startsWith(folder)).toBe(true);
  });

  test("a folder that nobody else can enter", () => {
    const own = dirname(meetingPlace(company) ?? "");
    expect(statSync(own).mode & 0o777).toBe(0o700);
  });

  const strangers: [what: string, make: (path: string) => void][] = [
    ["a folder that others can enter", (path) => (mkdirSync(path), chmodSync(path, 0o755))],
    [
      "a link",
      (path) => (mkdirSync(join(folder, "elsewhere"), { mode: 0o700 }), symlinkSync(join(folder, "elsewhere"), path)),
    ],
    ["a file", (path) => writeFileSync(path, "")],
  ];
  test.each(strangers)("%s in its place is not used", (_, make) => {
    make(join(folder, `telltale-${process.getuid?.()}`));
    expect(meetingPlace(company)).toBe(undefined);
    expect(meetingPlaceOf(1)).toBe(undefined);
  });

  test("nowhere, where nothing can be made or the path is too long for a socket", () => {
    process.env["TMPDIR"] = join(folder, "missing");
    expect(meetingPlace(company)).toBe(undefined);
    process.env["TMPDIR"] = join(folder, "long".repeat(20));
    mkdirSync(process.env["TMPDIR"]);
    expect(meetingPlace(company)).toBe(undefined);
  });
});

test("what processes left that are no more is cleared away, what others have stays", () => {
  const own = meetingPlaceOf(process.pid) ?? "";
  const parent = meetingPlaceOf(process.ppid) ?? "";
  // No process has the highest number: Linux gives out 2^22 at most.
  const dead = meetingPlaceOf(2 ** 30) ?? "";
  const port = meetingPlace(company) ?? "";
  for (const path of [own, parent, dead, port]) writeFileSync(path, "");
  clearPlace(own);
  expect([own, parent, dead, port].map((path) => existsSync(path))).toEqual([false, true, false, true]);
});
