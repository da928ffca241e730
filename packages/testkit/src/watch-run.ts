import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  contextOf,
  type DatabaseOperation,
  endOperation,
  type Finding,
  type HttpServerOperation,
  type Operation,
  startHttpServerOperation,
  startImmediate,
} from "@telltale/core";
import { rememberSites } from "./remember-sites.js";
import { waitFor } from "./wait-for.js";
import { whyUnheard } from "./why-unheard.js";

/** What a run came to. */
export interface WatchedRun<T> {
  readonly result: T;
  /** In the order in which they began; BEGIN, COMMIT, SET and their like are left out. */
  readonly queries: readonly DatabaseOperation[];
  readonly findings: readonly Finding[];
  /** Whether any request was served, or any database called. */
  readonly isHeard: boolean;
}

/** The end of a request is heard when the response has been handed over, which may be after the client has read it. */
const END_MS = 1_000;

/**
 * Runs something, and hears what this process does until all of it has ended. The run counts as a request of its own, by the name
 * `TEST <name>`: what repeats in it is found although nobody has served it by HTTP.
 *
 * @throws Error where Telltale could not have heard what was run, and where a part of it has not ended in a second.
 */
export async function watchRun<T>(run: () => T | Promise<T>, name: string | undefined): Promise<WatchedRun<T>> {
  const started: Operation[] = [];
  const findings: Finding[] = [];
  const unheard = whyUnheard();
  if (unheard !== undefined) throw new Error(unheard);
  const test = startTest(name);
  const sites = rememberSites();
  const stop = addListener({
    name: "testkit",
    operationStarted: (operation) => void started.push(operation),
    findingMade: (finding) => void findings.push({ ...finding, callSite: sites.of(finding) }),
  });
  try {
    const own = contextOf(test);
    const result = await context.with(own, () => {
      if (context.active() !== own)
        throw new Error("no context is kept in this process: start() or collect() must run");
      return run();
    });
    // A pool hands its connections over in a later turn.
    await new Promise(startImmediate);
    await settle(started);
    endOperation(test);
    // A late driver is seen only now.
    const late = whyUnheard();
    if (late !== undefined) throw new Error(late);
    return {
      result,
      queries: started.filter((one) => one.kind === "database").filter(({ template }) => template.effect !== "control"),
      // To call a service many times is what a test does.
      findings: findings.filter(({ kind, endpoint }) => kind !== "repeated_http_call" || endpoint !== endpointOf(test)),
      isHeard: started.some(({ kind }) => kind !== "http.client"),
    };
  } finally {
    endOperation(test);
    stop();
    sites.stop();
  }
}

function startTest(name: string | undefined): HttpServerOperation {
  const test = startHttpServerOperation(
    {
      method: "TEST",
      originalMethod: undefined,
      scheme: "http",
      path: "/",
      query: undefined,
      serverAddress: undefined,
      serverPort: undefined,
      clientAddress: undefined,
      userAgent: undefined,
      protocolVersion: "1.1",
    },
    ROOT_CONTEXT,
  );
  if (test.request !== undefined) test.request.route = name;
  return test;
}

function endpointOf({ method, request }: HttpServerOperation): string {
  return request?.route === undefined ? method : `${method} ${request.route}`;
}

async function settle(started: readonly Operation[]): Promise<void> {
  const open = (): Operation[] => started.filter(({ endMs }) => endMs === 0);
  await waitFor(
    () => open().length === 0,
    () => `the end of ${open().map(describe).join(", ")}`,
    END_MS,
  );
}

function describe(operation: Operation): string {
  if (operation.kind === "database") return operation.template.querySummary ?? operation.template.system;
  return operation.kind === "http.client"
    ? `${operation.method} ${operation.url}`
    : `${operation.method} ${operation.path}`;
}
