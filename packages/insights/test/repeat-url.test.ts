import { expect, test } from "vitest";
import { readUrl } from "../src/repeats/url.js";

test.each([
  ["http://api:8080/users/17", "/users/:id"],
  ["http://api/users/17/orders/4711", "/users/:id/orders/:id"],
  ["http://api/v2/users/3f2b8c1e-0d7c-4a55-9f3b-1f1a2b3c4d5e", "/v2/users/:id"],
  ["http://api/things/deadbeefdeadbeefcafe", "/things/:id"],
  ["http://api/orders/ord_8f3k2", "/orders/:id"],
  ["http://api/oauth2/token", "/oauth2/token"],
  ["http://api/v1.2/s3/config", "/v1.2/s3/config"],
  ["http://api/users/jo%40example.org", "/users/:id"],
  ["http://api/price?sku=17&currency=EUR", "/price?currency&sku"],
  ["http://api/price?currency=USD&sku=18", "/price?currency&sku"],
  ["http://api/items?page=2", "/items"],
  ["http://api", "/"],
  ["http://api?x=/1", "/?x"],
  ["http://api/", "/"],
])("%s goes to %s", (url, template) => {
  expect(readUrl(url).template).toBe(template);
});

test.each([
  ["http://api/items?page=2", "http://api/items?page=3", true],
  ["http://api/items?kind=a&cursor=x", "http://api/items?kind=a&cursor=y", true],
  ["http://api/items?kind=a&cursor=x", "http://api/items?kind=b&cursor=x", false],
  ["http://api/items/1", "http://api/items/2", false],
])("%s and %s are pages of one: %s", (one, other, isSame) => {
  expect(readUrl(one).stem === readUrl(other).stem).toBe(isSame);
});
