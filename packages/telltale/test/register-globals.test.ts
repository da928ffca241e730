import { AsyncLocalStorage } from "node:async_hooks";
import { context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { enterContext } from "@telltale/core";
import { afterEach, expect, test } from "vitest";
import { createMeterProvider } from "../src/meter-provider.js";
import { registerGlobals } from "../src/register-globals.js";
import { createResource } from "../src/resource.js";

const frames = !("_propagate" in AsyncLocalStorage.prototype);
const key = createContextKey("test");
const inside = ROOT_CONTEXT.setValue(key, "inside");
const parts = {
  contextManager: undefined,
  propagator: undefined,
  tracerProvider: undefined,
  meterProvider: createMeterProvider(createResource({ packageName: undefined }), []),
  loggerProvider: undefined,
};
let undo = (): void => {};
afterEach(() => undo());

/** Whether a context can be entered, and is the active one then; in a callback of Node's own. */
const entered = (): Promise<boolean> =>
  new Promise((resolve) =>
    setImmediate(() => resolve(enterContext(inside) && context.active().getValue(key) === "inside")),
  );

test.runIf(frames)(
  "a context is entered by the context manager that was registered, until it is taken out",
  async () => {
    undo = registerGlobals(parts);
    expect(await entered()).toBe(true);
    expect(context.active().getValue(key)).toBeUndefined();
    undo();
    expect(await entered()).toBe(false);
  },
);

test("not where the app has one of its own, from the beginning or by now", async () => {
  undo = registerGlobals({ ...parts, contextManager: new AsyncLocalStorageContextManager() });
  expect(await entered()).toBe(false);
  undo();
  undo = registerGlobals(parts);
  context.disable();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  expect(await entered()).toBe(false);
});
