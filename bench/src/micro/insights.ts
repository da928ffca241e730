import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseTemplate,
  endOperation,
  startDatabaseOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { makeTemplates } from "../query-templates.js";
import type { Micro } from "./micro.js";
import { served } from "./served.js";

/** What findings cost where there is nothing to find: a request of five queries, and a query outside of one. */
export function insights(): Micro[] {
  const templates = makeTemplates(5);
  const [template] = templates;
  if (template === undefined) return [];
  let listening = false;
  const listen = (): void => {
    if (listening) return;
    listening = true;
    addListener(createInsights());
  };
  return [
    { name: "5 queries in a request, nobody hears", run: () => serve(templates) },
    { name: "query, nobody hears", run: () => query(template) },
    {
      name: "5 queries in a request, insights",
      run() {
        listen();
        serve(templates);
      },
    },
    {
      name: "query, insights",
      run() {
        listen();
        query(template);
      },
    },
  ];
}

function query(template: DatabaseTemplate): void {
  endOperation(startDatabaseOperation(template, undefined, undefined, ROOT_CONTEXT));
}

function serve(templates: readonly DatabaseTemplate[]): void {
  const request = startHttpServerOperation(served, ROOT_CONTEXT);
  for (const template of templates) {
    endOperation(startDatabaseOperation(template, undefined, undefined, request.context));
  }
  endOperation(request);
}
