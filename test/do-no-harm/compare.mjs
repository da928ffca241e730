// Runs a library's own test suite without and with Telltale, and prints what differs. See README.md.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { run, runFiles, RUNNERS } from "./runners.mjs";

const REGISTER = fileURLToPath(new URL("../../packages/telltale/register.cjs", import.meta.url));
const LOAD_FIRST = fileURLToPath(new URL("load-first.cjs", import.meta.url));

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runner: { type: "string", default: "node" },
    load: { type: "string", multiple: true, default: [] },
    built: { type: "string" },
    files: { type: "string", multiple: true, default: [] },
    jobs: { type: "string", default: "1" },
    env: { type: "string", multiple: true, default: [] },
    with: { type: "string", multiple: true, default: [] },
    times: { type: "string", default: "3" },
    limit: { type: "string", default: "900" },
  },
});
const [given, ...command] = positionals;
if (given === undefined || command.length === 0 || (options.runner !== "files" && !(options.runner in RUNNERS))) {
  console.error(
    "node test/do-no-harm/compare.mjs [options] <folder> -- <command of its tests>, see test/do-no-harm/README.md",
  );
  process.exit(2);
}
const folder = resolve(given);
const temp = mkdtempSync(join(tmpdir(), "telltale-suite-"));
const collector = await startCollector();
const pairs = (list) => Object.fromEntries(list.map((pair) => pair.split(/=(.*)/s, 2)));

const runs = { without: [], with: [] };
const complaints = new Set();
try {
  await runBoth();
  while (runs.with.length < Number(options.times) && suspects().length > 0) await runBoth();
  print();
} finally {
  collector.close();
  rmSync(temp, { recursive: true, force: true });
}

async function runBoth() {
  runs.without.push(await runSuite(false));
  runs.with.push(await runSuite(true));
}

/** The tests by name; a name that comes again is counted. */
async function runSuite(watched) {
  const suite = { folder, load: options.load, built: options.built?.split("=") };
  const preloads = watched ? [REGISTER, LOAD_FIRST] : [LOAD_FIRST];
  const env = {
    ...process.env,
    // What tests leave in the temp folder goes with it.
    TMPDIR: temp,
    ...pairs(options.env),
    TELLTALE_SUITE: JSON.stringify(suite),
    NODE_OPTIONS: [process.env.NODE_OPTIONS ?? "", ...preloads.map((file) => `--require ${JSON.stringify(file)}`)].join(
      " ",
    ),
    ...(watched && {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_PROMETHEUS_PORT: "0",
      ...pairs(options.with),
    }),
  };
  const report = join(temp, `${runs.with.length}-${watched}`);
  const began = performance.now();
  const where = { cwd: folder, env, limitMs: Number(options.limit) * 1_000 };
  const { results, output } =
    options.runner === "files"
      ? await runFiles(command, options.files, Number(options.jobs), where)
      : await runReported(report, where);
  if (watched) for (const line of output.match(/^telltale: .*$/gm) ?? []) complaints.add(line);
  const tests = new Map();
  for (const test of results) {
    let name = test.name;
    for (let n = 2; tests.has(name); n += 1) name = `${test.name} (${n})`;
    tests.set(name, test);
  }
  const count = (state) => results.filter((test) => test.state === state).length;
  console.log(
    `${watched ? "with   " : "without"}  ${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped in ${Math.round((performance.now() - began) / 1_000)} s`,
  );
  if (results.length === 0) console.log(output.slice(-4_000));
  return tests;
}

async function runReported(report, where) {
  const runner = RUNNERS[options.runner];
  const { output, overtime, code } = await run(runner.command(command, report), where);
  if (overtime) console.log(`no end after ${options.limit} s`);
  const results = existsSync(report) ? runner.read(report) : [];
  // What the runner itself says at its end, such as handles that are left open.
  if (results.length > 0)
    results.push({ name: "(exit)", state: exitState(code, results), error: output().slice(-2_000) });
  return { results, output: output() };
}

/** An exit code that the tests explain is no news. */
function exitState(code, results) {
  return code === 0 || results.some((test) => test.state === "failed") ? "passed" : "failed";
}

/** Tests that ended worse with Telltale in one run at least. A hook is named only where it fails; a test that is gone has not passed. */
function suspects() {
  const names = new Set(runs.without.concat(runs.with).flatMap((tests) => Array.from(tests.keys())));
  return Array.from(names)
    .map((name) => {
      const states = (side) => runs[side].map((tests) => tests.get(name)?.state ?? "missing");
      const count = (side, state) => states(side).filter((each) => each === state).length;
      const gone = count("without", "missing") === 0 ? count("with", "missing") : 0;
      const error = runs.with.map((tests) => tests.get(name)?.error).find((text) => text);
      return { name, without: count("without", "failed"), with: count("with", "failed") + gone, error };
    })
    .filter((test) => test.with > test.without);
}

function print() {
  const times = runs.with.length;
  const found = suspects();
  const harmed = found.filter((test) => test.with === times && test.without === 0);
  for (const test of found) {
    const kind = harmed.includes(test) ? "NEW FAILURE" : "unsteady";
    console.log(
      `\n${kind}  ${test.name}\n  failed ${test.without} of ${times} times without, ${test.with} of ${times} with`,
    );
    console.log((test.error ?? "").slice(0, 3_000).replace(/^/gm, "    "));
  }
  const said = [...complaints].filter((line) => !line.includes(" watches "));
  if (said.length > 0) console.log(`\nTelltale said:\n${said.join("\n")}`);
  console.log(
    `\nheard: ${
      [...collector.spans]
        .sort((a, b) => b[1] - a[1])
        .map(([what, n]) => `${n} ${what}`)
        .join(", ") || "nothing"
    }`,
  );
  console.log(`${harmed.length} new failures, ${found.length - harmed.length} unsteady`);
  if (harmed.length > 0) process.exitCode = 1;
}

/** Takes traces, and counts what was heard: a suite that was not watched proves nothing. */
async function startCollector() {
  const spans = new Map();
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part) => (text += part));
    request.on("end", () => {
      response.end("{}");
      try {
        for (const { scopeSpans } of JSON.parse(text).resourceSpans ?? [])
          for (const scope of scopeSpans) scope.spans.forEach(count);
      } catch {
        // A process that was ended while it sent.
      }
    });
  });
  const count = ({ kind, attributes = [] }) => {
    const system = attributes.find(({ key }) => key === "db.system.name")?.value.stringValue;
    const what = system ?? ["", "internal", "http server", "http client"][kind] ?? String(kind);
    spans.set(what, (spans.get(what) ?? 0) + 1);
  };
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, spans, close: () => server.close() };
}
