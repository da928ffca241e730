import { VERSION } from "@telltale/core";
import { type Command, UsageError } from "./command.js";

interface Entry {
  readonly summary: string;
  load(): Promise<Command>;
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  baseline: {
    summary: "record how a service does under load, and compare a later release with it",
    load: async () => (await import("./baseline.js")).baseline,
  },
  dev: {
    summary: "run a program watched, and see in a browser what it does",
    load: async () => (await import("./dev.js")).dev,
  },
  doctor: {
    summary: "say what of an app will be seen, what will not, why, and the cure; the app is not run",
    load: async () => (await import("./doctor.js")).doctor,
  },
  grafana: {
    summary: "write dashboards for Grafana, rules for Prometheus, examples of their configurations",
    load: async () => (await import("./grafana.js")).grafana,
  },
  mcp: {
    summary: "let a coding assistant ask a running viewer",
    load: async () => (await import("./mcp.js")).mcp,
  },
  report: {
    summary: "read what a running service has found: what cost most, why, and the cure",
    load: async () => (await import("./report.js")).report,
  },
  run: {
    summary: "run a program watched: the preload without its flags",
    load: async () => (await import("./run.js")).run,
  },
  top: {
    summary: "see in this terminal what a running viewer has seen",
    load: async () => (await import("./top.js")).top,
  },
  viewer: {
    summary: "see in a browser what any OpenTelemetry program sends to it",
    load: async () => (await import("./viewer.js")).viewer,
  },
};

const WIDTH = Math.max(...Object.keys(COMMANDS).map(({ length }) => length));

const HELP = `telltale ${VERSION}: find the bottleneck of a running Node.js service

  telltale dev app.js    watch a service in a browser, on this machine
  telltale run app.js    watch one as node --require telltale/register app.js does; the rest is about what comes of it

${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  telltale ${name.padEnd(WIDTH)}    ${summary}`)
  .join("\n")}

  telltale <command> --help    more about one
  telltale --version
`;

/** Whoever reads it may have enough, as `head` has. A program that is run has stdout to itself: the stream would change it. */
function letReaderGo(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

async function run([name, ...args]: readonly string[]): Promise<void> {
  if (name !== "run" && name !== "dev") letReaderGo();
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(HELP);
    return;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${VERSION}\n`);
    return;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    const known = Object.keys(COMMANDS).join(", ");
    throw new UsageError(`unknown command ${JSON.stringify(name)}; known are ${known}; see telltale --help`);
  }
  const command = await entry.load();
  const own = command.passesOn === true ? args.slice(0, 1) : args;
  if (own.includes("--help") || own.includes("-h")) {
    process.stdout.write(command.help);
    return;
  }
  try {
    await command.run(args);
  } catch (error) {
    if (!isOfParseArgs(error)) throw error;
    throw new UsageError(`${error.message}; see telltale ${name} --help`);
  }
}

function isOfParseArgs(error: unknown): error is Error {
  return error instanceof Error && String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS_");
}

run(process.argv.slice(2)).catch((error: unknown) => {
  // Bundled apart, a command has a class of its own of that name.
  const isUsage = error instanceof Error && error.name === "UsageError";
  const text = isUsage ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  for (const line of text.split("\n")) process.stderr.write(`telltale: ${line}\n`);
  process.exitCode = isUsage ? 2 : 1;
});
