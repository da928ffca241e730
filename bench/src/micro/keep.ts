import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addSpanListener,
  contextOf,
  type DatabaseTemplate,
  endOperation,
  type HttpServerOperation,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { createSampler, createTracerProvider, SpanExport, type TailKeepOptions } from "@telltale/tracing";
import { emptyResource } from "@opentelemetry/resources";
import { makeTemplates } from "../query-templates.js";
import { served } from "./served.js";
import type { Micro } from "./micro.js";

const QUERIES = 10;
/** Requests in flight: what is held of them outlives a few of the garbage collector's rounds. */
const IN_FLIGHT = 50;

/** A request of ten queries, as sampling and what is kept of the rest want it; how its spans wait is the difference. */
export function keep(): Micro[] {
  const [template] = makeTemplates(1);
  if (template === undefined) return [];
  const reasons = ["error", "slow", "finding"] as const;
  return [
    requests("1 % sampled, nothing else kept", template, 0.01, undefined),
    requests("1 % sampled, none worth keeping", template, 0.01, { reasons }),
    requests("1 % sampled, all kept", template, 0.01, { reasons, slowMs: 0, perSecond: Infinity }),
    requests("100 % sampled", template, 1, undefined),
  ];
}

/** Listeners are the process's: of one run they are gone before those of the next come. */
let stop: () => void = () => {};

function requests(
  name: string,
  template: DatabaseTemplate,
  ratio: number,
  tailKeep: TailKeepOptions | undefined,
): Micro {
  let isListening = false;
  const inFlight: (HttpServerOperation | undefined)[] = Array.from({ length: IN_FLIGHT });
  let next = 0;
  return {
    name: `request with ${QUERIES} queries: ${name}`,
    run() {
      if (!isListening) {
        isListening = true;
        stop();
        stop = addSpanListener(
          createTracerProvider({
            resource: emptyResource(),
            sampler: createSampler("parentbased_traceidratio", ratio),
            export: new SpanExport({ deliver: async () => ({ ok: true }) }),
            keep: tailKeep,
          }),
        );
      }
      const before = inFlight[next];
      if (before !== undefined) {
        before.statusCode = 200;
        endOperation(before);
      }
      const operation = startHttpServerOperation(served, ROOT_CONTEXT);
      const inside = contextOf(operation);
      for (let i = 0; i < QUERIES; i++) endOperation(startDatabaseOperation(template, undefined, undefined, inside));
      inFlight[next] = operation;
      next = (next + 1) % IN_FLIGHT;
    },
  };
}
