import { AsyncLocalStorage } from "node:async_hooks";
import { context, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { contextOf, startHttpServerOperation } from "@telltale/core";
import { getRequest } from "@telltale/test/requests";
import type { Micro } from "./micro.js";
import { engineProvider } from "./providers.js";

export function contexts(): Micro[] {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const storage = new AsyncLocalStorage<unknown>();
  const span = engineProvider().getTracer("bench").startSpan("parent", {}, ROOT_CONTEXT);
  const operation = startHttpServerOperation(getRequest(), ROOT_CONTEXT);
  operation.span = span;
  const work = (): number => 1;
  return [
    { name: "a context with a span (Telltale)", run: () => contextOf(operation) },
    { name: "a context with a span (API)", run: () => trace.setSpan(ROOT_CONTEXT, span) },
    { name: "AsyncLocalStorage.run", run: () => storage.run(span, work) },
    { name: "context.with", run: () => context.with(operation.context, work) },
    { name: "context.bind and a call", run: () => context.bind(operation.context, work)() },
    { name: "context.active, outside of any", run: () => context.active() },
  ];
}
