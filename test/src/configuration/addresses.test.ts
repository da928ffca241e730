import { expect, test } from "vitest";
import { findAddresses } from "./addresses.js";

test.each([
  ["http://collector:4318", [{ host: "collector", port: 4318 }]],
  ["http://collector:4318/v1/traces", [{ host: "collector", port: 4318 }]],
  ["redis://redis:6379", [{ host: "redis", port: 6379 }]],
  [{ targets: ["shop:9464", "127.0.0.1:9090"] }, [{ host: "shop", port: 9464 }]],
  [{ image: "postgres:18", command: ["./config/a.yaml:/etc/a.yaml:ro"] }, []],
  [
    "http://mimir:8080/api/v1/push and mimir.telltale:8080",
    [
      { host: "mimir", port: 8080 },
      { host: "mimir.telltale", port: 8080 },
    ],
  ],
  ["127.0.0.1:8080:3000", []],
  ["0.0.0.0:4317", []],
])("%j", (value, addresses) => {
  expect(findAddresses(value)).toEqual(addresses);
});
