import { template } from "@telltale/test/template";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { addListener, hasListeners } from "../src/listeners.js";
import { endOperation, failOperation, startDatabaseOperation } from "../src/operation.js";
import { selfCounters } from "../src/self.js";
import { setSay } from "../src/say.js";

afterEach(() => setSay(() => {}));

test("every listener hears the start and the end once, in the order they were added", () => {
  const heard: string[] = [];
  const stops = ["a", "b"].map((name) =>
    addListener({
      name,
      operationStarted: () => void heard.push(`${name} start`),
      operationEnded: () => void heard.push(`${name} end`),
    }),
  );
  const operation = startDatabaseOperation(template(), "x", undefined);
  endOperation(operation);
  endOperation(operation);
  for (const stop of stops) stop();
  expect(heard).toEqual(["a start", "b start", "a end", "b end"]);
  expect(operation.parameters).toBeUndefined();
  expect(hasListeners()).toBe(false);
});

test("an operation ends once where an app's clock stands still at zero", () => {
  vi.spyOn(performance, "now").mockReturnValue(0);
  onTestFinished(() => void vi.restoreAllMocks());
  let ended = 0;
  const stop = addListener({ name: "count", operationEnded: () => void ended++ });
  const operation = startDatabaseOperation(template(), undefined, undefined);
  endOperation(operation);
  endOperation(operation);
  stop();
  expect(ended).toBe(1);
});

test("a listener that throws is counted, said once, and off after the third time; the others hear on", () => {
  const said: string[] = [];
  setSay((_level, line) => said.push(line));
  let thrown = 0;
  let heard = 0;
  const stops = [
    addListener({
      name: "broken",
      operationEnded() {
        thrown++;
        throw new Error("broken listener");
      },
    }),
    addListener({ name: "sound", operationEnded: () => void heard++ }),
  ];
  for (let n = 0; n < 5; n++) endOperation(startDatabaseOperation(template(), undefined, undefined));
  for (const stop of stops) stop();
  expect({ thrown, heard }).toEqual({ thrown: 3, heard: 5 });
  expect(said).toHaveLength(2);
  expect(said[1]).toContain("broken failed 3 times and is now off");
  expect([...selfCounters()].find(({ value }) => value === "broken")?.total).toBe(3);
});

test("the first failure of an operation stays, and none comes after its end", () => {
  const stop = addListener({ name: "test" });
  const operation = startDatabaseOperation(template(), undefined, undefined);
  failOperation(operation, Object.assign(new Error("a"), { code: "ECONNRESET" }));
  failOperation(operation, new TypeError("b"));
  endOperation(operation);
  stop();
  expect(operation.errorType).toBe("ECONNRESET");
});

test("what was thrown and cannot be read fails its operation all the same", () => {
  const stop = addListener({ name: "test" });
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const operation = startDatabaseOperation(template(), undefined, undefined);
  failOperation(operation, proxy);
  endOperation(operation);
  stop();
  expect([operation.errorType, operation.error]).toEqual(["_OTHER", undefined]);
});

test("a listener is told once that it is added, and once that it is removed; a failure there is its own", () => {
  const heard: string[] = [];
  const stop = addListener({
    name: "a",
    added: () => void heard.push("added"),
    removed: () => void heard.push("removed"),
  });
  expect(heard).toEqual(["added"]);
  stop();
  stop();
  expect(heard).toEqual(["added", "removed"]);
  const fail = (): void => {
    throw new Error("on purpose");
  };
  expect(addListener({ name: "b", added: fail, removed: fail })).not.toThrow();
  expect(hasListeners()).toBe(false);
});
