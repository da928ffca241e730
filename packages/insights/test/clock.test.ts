import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseTemplate,
  endOperation,
  epochOriginMs,
  type Finding,
  startDatabaseOperation,
} from "@telltale/core";
import { expect, test, vi } from "vitest";
import { createInsights } from "../src/index.js";

test("a finding carries the time of its spans, also once the system's clock was set", () => {
  const findings: Finding[] = [];
  const stops = [
    addListener(createInsights({ slowQueryMs: 1 })),
    addListener({ name: "test", findingMade: (finding) => void findings.push(finding) }),
  ];
  const { now } = Date;
  vi.spyOn(Date, "now").mockImplementation(() => now() + 3_600_000);
  // The clock is looked at every 10 s.
  epochOriginMs(performance.now() + 60_000);
  const template: DatabaseTemplate = {
    system: "postgresql",
    namespace: "shop",
    operationName: "SELECT",
    collection: undefined,
    querySummary: "SELECT",
    queryText: "SELECT 1",
    fingerprint: "00000000000000aa",
    effect: "read",
    serverAddress: "db",
    serverPort: 5432,
    poolName: undefined,
    slots: [],
  };
  const operation = startDatabaseOperation(template, "SELECT 1", undefined, ROOT_CONTEXT, performance.now() - 50);
  endOperation(operation);
  for (const stop of stops) stop();
  const [finding] = findings;
  // 60 s are what the test has added above.
  expect(Math.abs((finding?.time ?? 0) - Date.now())).toBeLessThan(61_000);
  vi.restoreAllMocks();
});
