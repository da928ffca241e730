import { ROOT_CONTEXT } from "@opentelemetry/api";
import { selfCounters, startHttpClientOperation } from "@telltale/core";
import { array, assert, constantFrom, property, string, tuple } from "fast-check";
import { describe, expect, test } from "vitest";
import { expectRedirect } from "../src/redirects.js";
import { fullUrl, parseAuthority, redactQuery, splitTarget } from "../src/url.js";

test.each([
  ["a=1&b=2", "a=1&b=2"],
  ["", ""],
  ["&&", "&&"],
  ["a=1&", "a=1&"],
  // Those of the conventions.
  ["AWSAccessKeyId=AKIA&Signature=x%2By&Expires=1", "AWSAccessKeyId=REDACTED&Signature=REDACTED&Expires=1"],
  ["sv=2020&sig=abc", "sv=2020&sig=REDACTED"],
  ["X-Goog-Signature=abc", "X-Goog-Signature=REDACTED"],
  [
    "X-Amz-Signature=a&X-Amz-Credential=b&X-Amz-Security-Token=c&X-Amz-Date=d",
    "X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED&X-Amz-Security-Token=REDACTED&X-Amz-Date=d",
  ],
  // Those that applications use.
  ["token=a&access_token=b&id_token=c", "token=REDACTED&access_token=REDACTED&id_token=REDACTED"],
  [
    "api_key=a&apiKey=b&api-key=c&APIKEY=d&key=e",
    "api_key=REDACTED&apiKey=REDACTED&api-key=REDACTED&APIKEY=REDACTED&key=REDACTED",
  ],
  [
    "password=a&user%5Bpassword%5D=b&user[password]=c",
    "password=REDACTED&user%5Bpassword%5D=REDACTED&user[password]=REDACTED",
  ],
  ["client_secret=a&p%61ssword=b", "client_secret=REDACTED&p%61ssword=REDACTED"],
  ["token=a=b==", "token=REDACTED"],
  ["token=", "token=REDACTED"],
  // No values, or other names.
  ["token", "token"],
  ["tokens=3&keyword=shoes&design=x&%=1", "tokens=3&keyword=shoes&design=x&%=1"],
])("redactQuery(%j)", (query, redacted) => {
  expect(redactQuery(query)).toBe(redacted);
});

test("no secret is left, and nothing else is lost", () => {
  const name = constantFrom("token", "user[password]", "api_key", "sig", "q", "page");
  const value = string({ minLength: 8, unit: constantFrom(..."abcdef0123456789%+=") }).map((text) => `<${text}>`);
  assert(
    property(array(tuple(name, value), { maxLength: 6 }), (pairs) => {
      const redacted = redactQuery(pairs.map((pair) => pair.join("=")).join("&"));
      const expected = pairs.map(([one, text]) => `${one}=${one === "q" || one === "page" ? text : "REDACTED"}`);
      expect(redacted).toBe(expected.join("&"));
    }),
  );
});

test.each([
  ["/", "/", undefined],
  ["/orders/7", "/orders/7", undefined],
  ["/orders?", "/orders", undefined],
  ["/orders?a=1?b", "/orders", "a=1?b"],
  ["/orders?token=x#part", "/orders", "token=REDACTED"],
  ["//host/path", "//host/path", undefined],
  ["http://user:pass@example.com/orders?a=1", "/orders", "a=1"],
  ["http://example.com", "/", undefined],
  ["*", "*", undefined],
  ["example.com:443", "example.com:443", undefined],
  ["", "", undefined],
])("splitTarget(%j)", (target, path, query) => {
  expect(splitTarget(target)).toEqual({ path, query });
});

test.each([
  ["http://a.test:8080", "/x?a=1", "http://a.test:8080/x?a=1"],
  ["https://a.test", "/x?a=1&token=t", "https://a.test/x?a=1&token=REDACTED"],
  // To a proxy.
  ["http://proxy.test", "http://u:p@b.test:81/x?sig=1", "http://REDACTED:REDACTED@b.test:81/x?sig=REDACTED"],
  ["http://proxy.test", "http://b.test/x", "http://b.test/x"],
  ["http://proxy.test", "b.test:443", "http://proxy.test"],
])("fullUrl(%j, %j)", (origin, target, url) => {
  expect(fullUrl(origin, target)).toBe(url);
});

describe("parseAuthority", () => {
  const cases: [string | undefined, string | undefined, number | undefined][] = [
    ["example.com", "example.com", undefined],
    ["example.com:8080", "example.com", 8080],
    ["127.0.0.1:1", "127.0.0.1", 1],
    ["[::1]:80", "::1", 80],
    ["[2001:db8::1]", "2001:db8::1", undefined],
    ["my_service-1", "my_service-1", undefined],
    [undefined, undefined, undefined],
    ["", undefined, undefined],
    ["a b", undefined, undefined],
    ["user@example.com", undefined, undefined],
    ["example.com:99999", undefined, undefined],
    ["example.com:x", undefined, undefined],
    ["::1", undefined, undefined],
    ["a".repeat(254), undefined, undefined],
    ["<script>", undefined, undefined],
  ];
  test.each(cases)("%j", (text, address, port) => {
    expect(parseAuthority(text)).toEqual({ address, port });
    // Once more, as for the next request of the same client.
    expect(parseAuthority(text)).toEqual({ address, port });
  });
});

const totalOf = (limit: string) => Array.from(selfCounters()).find(({ value }) => value === limit)?.total ?? 0;

test("redirects that nobody follows are forgotten, and counted", () => {
  const start = { method: "GET", originalMethod: undefined, url: "http://a/", serverAddress: "a", serverPort: 80 };
  const operation = startHttpClientOperation(start, ROOT_CONTEXT);
  const before = totalOf("http.redirects");
  for (let n = 1; n <= 17; n++) expectRedirect(operation, `/${n}`);
  expect(totalOf("http.redirects") - before).toBe(16);
});

test("names that are not kept are counted", () => {
  redactQuery(Array.from({ length: 1000 }, (_, n) => `name${n}=1`).join("&"));
  const before = totalOf("http.query_names");
  redactQuery("one_more=1&two_more=2");
  expect(totalOf("http.query_names") - before).toBe(2);
});
