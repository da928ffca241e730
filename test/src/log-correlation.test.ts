import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, REGISTER, runProgram, telltaleLines } from "./run-program.js";

// What loggers write, with the option and without, compared with what they write alone.

interface Run {
  readonly lines: Readonly<Record<string, string>>;
  readonly traceId: string;
  readonly spanId: string;
  readonly names: readonly string[];
}

let folder = "";
let files = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "telltale-logs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(versions: string, env: Record<string, string> | undefined): Promise<Run> {
  const file = join(folder, `${files++}.log`);
  writeFileSync(file, "");
  const { code, stdout, stderr } = await runProgram(fixture("log-correlation/app.mjs"), {
    nodeOptions: env === undefined ? [] : ["--require", REGISTER],
    args: [fileURLToPath(new URL(`../../${versions}package.json`, import.meta.url)), file],
    env: { OTEL_TRACES_EXPORTER: "console", OTEL_EXPORTER_PROMETHEUS_PORT: "0", ...env },
  });
  expect({ code, complaints: telltaleLines(stderr).filter((line) => !line.includes(" watches ")) }, stderr).toEqual({
    code: 0,
    complaints: [],
  });
  const line = stdout.split("\n").find((each) => each.startsWith('{"lines"')) ?? "";
  return JSON.parse(line) as Run;
}

const OWN = / of its own$/;

describe.each([
  ["newest", ""],
  ["oldest", ".old-majors/"],
])("the %s pino and winston", (_, versions) => {
  let alone: Run;
  let off: Run;
  let on: Run;
  beforeAll(async () => {
    [alone, off] = await Promise.all([run(versions, undefined), run(versions, {})]);
    on = await run(versions, { TELLTALE_LOG_CORRELATION: "pino,winston,console" });
  });

  test("write what they write alone, by default", () => {
    expect(Object.keys(alone.lines).length).toBeGreaterThan(80);
    expect(off.lines).toEqual(alone.lines);
    expect(off.traceId).toMatch(/^[0-9a-f]{32}$/);
  });

  test("write the same where no span is active", () => {
    const idle = ({ lines }: Run) => Object.entries(lines).filter(([name]) => /^(before|after): /.test(name));
    expect(idle(on)).toEqual(idle(alone));
  });

  test("add the ids of the active span to lines of JSON, and change nothing else", () => {
    const fields = { trace_id: on.traceId, span_id: on.spanId, trace_flags: "01" };
    let compared = 0;
    for (const [name, line] of Object.entries(alone.lines)) {
      if (
        !name.startsWith("within: ") ||
        OWN.test(name) ||
        !/^\{.*\}\n?$/.test(line) ||
        name.endsWith("console object")
      )
        continue;
      const before = JSON.parse(line) as object;
      expect(JSON.parse(on.lines[name] ?? ""), name).toEqual({ ...before, ...fields });
      expect(on.lines[name]?.endsWith("\n"), name).toBe(line.endsWith("\n"));
      compared++;
    }
    expect(compared).toBe(16);
  });

  test("leave alone what has such a field", () => {
    const own = (of: Run) => Object.entries(of.lines).filter(([name]) => OWN.test(name));
    expect(own(alone)).toHaveLength(18);
    expect(own(on)).toEqual(own(alone));
  });

  test("hand them to formats, transports in threads, and lines of text", () => {
    const text = `trace_id=${on.traceId} span_id=${on.spanId} trace_flags=01`;
    expect(on.lines["within: winston printf"]).toMatch(new RegExp(`^info hello ${on.traceId}`));
    const [before, within, after] = (on.lines["transport"] ?? "")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect([before.trace_id, within.trace_id, after.trace_id]).toEqual([undefined, on.traceId, undefined]);
    expect(on.lines).toMatchObject({
      "within: console text": `hello ${text}\n`,
      "within: console one text with a percent sign": `100%% of %s ${text}\n`,
      "within: console format": `it is 5% of ${text} all\n`,
      "within: console more values": `user { id: 7 } ${text}\n`,
      "within: console object": `{ a: 1 } ${text}\n`,
      "within: console empty line": "\n",
    });
  });

  test("leave the app's objects as they were", () => {
    expect(on.names).toEqual(alone.names);
  });
});
