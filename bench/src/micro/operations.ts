import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseTemplate,
  endOperation,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { createMetrics } from "@telltale/metrics";
import { makeTemplates } from "../query-templates.js";
import type { Micro } from "./micro.js";
import { engineProvider } from "./providers.js";
import { served } from "./served.js";

/** A query and a request as the instrumentations report them, with more and more listeners. */
export function operations(): Micro[] {
  const [template] = makeTemplates(1);
  if (template === undefined) return [];
  return [
    ...heardBy("nobody", template, () => {}),
    ...heardBy("metrics", template, () => void addListener(createMetrics({ runtime: false }).listener)),
    ...heardBy("metrics and the span engine", template, () => {
      const listener = engineProvider().createOperationListener({ name: "bench" });
      if (listener !== undefined) addListener(listener);
    }),
  ];
}

/** `listen` is called before the first run: listeners are the process's. */
function heardBy(who: string, template: DatabaseTemplate, listen: () => void): Micro[] {
  let listening = false;
  const once = (): void => {
    if (listening) return;
    listening = true;
    listen();
  };
  return [
    {
      name: `query, heard by ${who}`,
      run() {
        once();
        endOperation(startDatabaseOperation(template, undefined, undefined, ROOT_CONTEXT));
      },
    },
    {
      name: `request, heard by ${who}`,
      run() {
        once();
        const operation = startHttpServerOperation(served, ROOT_CONTEXT);
        operation.statusCode = 200;
        endOperation(operation);
      },
    },
  ];
}
