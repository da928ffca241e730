import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  contextOf,
  type DatabaseOperation,
  type DatabaseTemplate,
  endOperation,
  registerPool,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { makeTemplates } from "../query-templates.js";
import type { Micro } from "./micro.js";
import { served } from "./served.js";

/** What it costs to tell who holds a connection: of a pool that has enough, and of one where others wait. */
export function pools(): Micro[] {
  const [template] = makeTemplates(1);
  return template === undefined ? [] : measure(template);
}

function measure(template: DatabaseTemplate): Micro[] {
  const caller = contextOf(startHttpServerOperation(served, ROOT_CONTEXT));
  const operation: DatabaseOperation = startDatabaseOperation(template, undefined, undefined, caller);
  endOperation(operation);
  const reporter = registerPool({ name: "bench", system: "postgresql", read: () => undefined });
  const loan = reporter.addConnection();
  const checkout = (): void => {
    reporter.taken(loan, caller, 1);
    loan.runs(operation);
    reporter.returned(loan);
  };
  let listening = false;
  const listen = (): void => {
    if (!listening) addListener({ name: "bench", poolWaited() {} });
    listening = true;
  };
  return [
    { name: "checkout with a query, nobody asks who", run: checkout },
    {
      name: "checkout with a query",
      run() {
        listen();
        checkout();
      },
    },
    {
      name: "checkout with a query, after a wait",
      run() {
        listen();
        const waiter = reporter.waits(caller, 1);
        if (waiter !== undefined) reporter.waited(waiter);
        checkout();
      },
    },
  ];
}
