import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * How each runner is made to say what became of its tests: the command with its reporter, and how the report is read.
 * `files` is no runner: each file that a pattern names is a program, and a test that passes with the exit code 0.
 */
export const RUNNERS = {
  mocha: {
    command: (command, report) => [
      ...command,
      "--reporter",
      here("mocha-reporter.cjs"),
      "--reporter-option",
      `output=${report}`,
    ],
    read: readLines,
  },
  node: {
    command: ([node, ...rest], report) => [
      node,
      `--test-reporter=${here("node-reporter.mjs")}`,
      `--test-reporter-destination=${report}`,
      ...rest,
    ],
    read: readLines,
  },
  jest: { command: (command, report) => [...command, "--json", `--outputFile=${report}`], read: readJest },
  vitest: { command: (command, report) => [...command, "--reporter=json", `--outputFile=${report}`], read: readJest },
};

function readLines(report) {
  return readFileSync(report, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

function readJest(report) {
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  return testResults.flatMap(({ name: file, assertionResults, message }) =>
    assertionResults.length === 0
      ? [{ name: file, state: "failed", error: message }]
      : assertionResults.map(({ fullName, status, failureMessages }) => ({
          name: `${file} > ${fullName}`,
          state: status === "passed" || status === "failed" ? status : "skipped",
          error: failureMessages?.join("\n") ?? "",
        })),
  );
}

/** The process groups that run. */
const running = new Set();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    for (const end of running) end();
    process.kill(process.pid, signal);
  });
}

/** Runs a command to its end, or for as long as it may take; what it starts is ended with it. */
export function run([command, ...args], { cwd, env, limitMs }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let overtime = false;
    const hear = (text) => {
      output += text;
      if (output.length > 50_000_000) output = output.slice(25_000_000);
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    const endGroup = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // Nothing of it is left.
      }
    };
    running.add(endGroup);
    const timer = setTimeout(() => {
      overtime = true;
      endGroup();
    }, limitMs);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      endGroup();
      running.delete(endGroup);
      resolve({ code: signal ?? code, output: () => output, overtime });
    });
  });
}

/** Each file as a program of its own, some at a time: the words `{}` of the command become its path. */
export async function runFiles(command, patterns, jobs, { cwd, env, limitMs }) {
  const results = [];
  let output = "";
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd })).sort();
  const work = async () => {
    for (let file = files.shift(); file !== undefined; file = files.shift()) {
      const name = file;
      const words = command.map((word) => (word === "{}" ? name : word));
      const { code, output: said, overtime } = await run(words, { cwd, env, limitMs });
      const error = overtime ? `no end after ${limitMs} ms\n${said()}` : said();
      results.push({ name, state: code === 0 ? "passed" : "failed", error });
      output += said();
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return { results, output };
}
