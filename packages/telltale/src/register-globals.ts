import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Context,
  context,
  type ContextManager,
  type LoggerProvider,
  logs,
  type MeterProvider,
  metrics,
  propagation,
  type TextMapPropagator,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { sayOnce, setEnterContext } from "@telltale/core";

export interface Globals {
  readonly contextManager: ContextManager | undefined;
  readonly propagator: TextMapPropagator | undefined;
  readonly tracerProvider: TracerProvider | undefined;
  readonly meterProvider: MeterProvider;
  readonly loggerProvider: LoggerProvider | undefined;
}

/**
 * Makes our parts those of the OpenTelemetry API. Where the app has set up one of its own before, that one stays, and one line says so.
 * Returns what takes ours out again.
 */
export function registerGlobals(globals: Globals): () => void {
  const { contextManager, propagator, tracerProvider, meterProvider, loggerProvider } = globals;
  const undo: (() => void)[] = [];
  const register = (what: string, isSet: boolean, takeOut: () => void): void => {
    if (isSet) undo.push(takeOut);
    else sayOnce("info", `OpenTelemetry has a ${what} already, set up before Telltale started; it stays`);
  };
  const manager = contextManager ?? new AsyncLocalStorageContextManager();
  const isOurs = context.setGlobalContextManager(manager.enable());
  register("context manager", isOurs, () => {
    setEnterContext(undefined);
    context.disable();
  });
  if (isOurs && contextManager === undefined) setEnterContext(enterOf(manager));
  if (propagator !== undefined) {
    register("propagator", propagation.setGlobalPropagator(propagator), () => propagation.disable());
  }
  if (tracerProvider !== undefined) {
    register("tracer provider", trace.setGlobalTracerProvider(tracerProvider), () => trace.disable());
  }
  register("meter provider", metrics.setGlobalMeterProvider(meterProvider), () => metrics.disable());
  if (loggerProvider !== undefined) {
    register("logger provider", logs.setGlobalLoggerProvider(loggerProvider), () => logs.disable());
  }
  return () => {
    for (const step of undo.reverse()) step();
  };
}

/** With async hooks (before Node 24, or `--no-async-context-frame`) what is entered belongs to the resource, which may be a whole connection. */
function enterOf(manager: ContextManager): ((context: Context) => void) | undefined {
  const { _asyncLocalStorage: storage } = manager as { readonly _asyncLocalStorage?: unknown };
  if ("_propagate" in AsyncLocalStorage.prototype || !(storage instanceof AsyncLocalStorage)) return undefined;
  return (to) => storage.enterWith(to);
}
