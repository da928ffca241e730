import { describe, expect, test } from "vitest";
import {
  IncomingDescription,
  describeMethod,
  describeOutgoing,
  type Incoming,
  type Outgoing,
} from "../src/request-attributes.js";

test.each([
  ["GET", "GET", undefined],
  ["QUERY", "QUERY", undefined],
  ["PROPFIND", "_OTHER", "PROPFIND"],
  ["get", "_OTHER", "get"],
])("describeMethod(%j)", (raw, method, originalMethod) => {
  expect(describeMethod(raw)).toEqual({ method, originalMethod });
});

function incoming(headers: Incoming["headers"], rest: Partial<Incoming> = {}): Incoming {
  return { method: "GET", url: "/x", httpVersion: "1.1", socket: { remoteAddress: "10.0.0.1" }, ...rest, headers };
}

test("an incoming request", () => {
  const headers = { host: "shop.test:8080", "user-agent": "curl/8" };
  expect(new IncomingDescription(incoming(headers, { method: "PUT", url: "/orders/7?a=1&token=t" }), false)).toEqual({
    method: "PUT",
    originalMethod: undefined,
    scheme: "http",
    path: "/orders/7",
    query: "a=1&token=REDACTED",
    serverAddress: "shop.test",
    serverPort: 8080,
    clientAddress: "10.0.0.1",
    userAgent: "curl/8",
    protocolVersion: "1.1",
  });
});

test("an encrypted connection is https", () => {
  const socket = { remoteAddress: "10.0.0.1", encrypted: true };
  expect(new IncomingDescription(incoming({}, { socket }), false).scheme).toBe("https");
});

describe("what proxies say", () => {
  const standard = 'for="[2001:db8::7]:4711";proto=https;host=shop.test, for=10.9.9.9';
  const usual = {
    "x-forwarded-for": "192.0.2.7, 10.9.9.9",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "shop.test:8443",
  };
  const cases: [string, Incoming["headers"], boolean, [unknown, unknown, unknown, unknown]][] = [
    [
      "is not believed",
      { host: "inner", forwarded: standard, ...usual },
      false,
      ["http", "inner", undefined, "10.0.0.1"],
    ],
    ["Forwarded", { host: "inner", forwarded: standard }, true, ["https", "shop.test", undefined, "2001:db8::7"]],
    ["X-Forwarded", { host: "inner", ...usual }, true, ["https", "shop.test", 8443, "192.0.2.7"]],
    ["Forwarded first", { forwarded: "for=192.0.2.1", ...usual }, true, ["https", "shop.test", 8443, "192.0.2.1"]],
    ["IPv6 bare", { "x-forwarded-for": "2001:db8::7" }, true, ["http", undefined, undefined, "2001:db8::7"]],
    ["with a port", { "x-forwarded-for": "192.0.2.7:99" }, true, ["http", undefined, undefined, "192.0.2.7"]],
    ["hidden", { forwarded: "for=_hidden;proto=gopher" }, true, ["http", undefined, undefined, "10.0.0.1"]],
    ["nothing", { host: "inner" }, true, ["http", "inner", undefined, "10.0.0.1"]],
  ];
  test.each(cases)("%s", (_title, headers, trust, expected) => {
    const { scheme, serverAddress, serverPort, clientAddress } = new IncomingDescription(incoming(headers), trust);
    expect([scheme, serverAddress, serverPort, clientAddress]).toEqual(expected);
  });
});

describe("an outgoing request", () => {
  const base: Outgoing = { method: "GET", protocol: "http:", host: "a.test", port: 80, path: "/x" };
  const cases: [Partial<Outgoing>, string, string, number | undefined][] = [
    [{}, "http://a.test/x", "a.test", 80],
    [{ port: 8080 }, "http://a.test:8080/x", "a.test", 8080],
    [{ protocol: "https:", port: 443 }, "https://a.test/x", "a.test", 443],
    [{ protocol: "https:", port: 80 }, "https://a.test:80/x", "a.test", 80],
    [{ host: "::1", port: 81 }, "http://[::1]:81/x", "::1", 81],
    [{ port: undefined }, "http://a.test/x", "a.test", undefined],
    [{ socketPath: "/run/docker.sock", host: "localhost" }, "http://localhost/x", "/run/docker.sock", undefined],
  ];
  test.each(cases)("%j", (given, url, serverAddress, serverPort) => {
    expect(describeOutgoing({ ...base, ...given })).toEqual({
      method: "GET",
      originalMethod: undefined,
      url,
      serverAddress,
      serverPort,
    });
  });
});
