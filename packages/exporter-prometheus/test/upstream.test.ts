import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { assert, asyncProperty, boolean } from "fast-check";
import { expect, test } from "vitest";
import type { Page } from "../src/index.js";
import { buckets, counter, gauge, histogram, render, upDown } from "./pages.js";
import { pageOf } from "./random-pages.js";

function serialize(page: Page, pattern?: RegExp, withoutScope = false): string {
  const serializer = new PrometheusSerializer(undefined, false, pattern, false, withoutScope);
  // Half a surrogate pair becomes what it does in a response.
  return Buffer.from(serializer.serialize(page as ResourceMetrics)).toString();
}

test("with upstream's names a page is upstream's page, byte for byte", async () => {
  await assert(
    asyncProperty(pageOf(30), boolean(), boolean(), async (page, scopes, constants) => {
      const { bytes } = await render([], {
        ...page,
        naming: "upstream",
        labelsScope: () => scopes,
        resourceLabels: constants ? ["*"] : [],
      });
      expect(bytes.toString()).toBe(serialize(page, constants ? /^/ : undefined, !scopes));
    }),
    { numRuns: 300 },
  );
});

test("an ordinary page, whatever the scraper accepts", async () => {
  const scope = { name: "app", version: "1.2.3" };
  const metrics = [
    counter("orders", [[{ "shop.name": "north" }, 7]], { unit: "{order}", description: "Orders taken." }),
    upDown("queue.size", [[{}, -2.5]]),
    gauge("load", [[{ le: "x" }, 0.5]], { unit: "1" }),
    histogram("took", [[{ route: "/" }, buckets([0.1, 1], [2, 3, 1], 6.25)]], { unit: "s" }),
  ];
  const page = {
    resource: resourceFromAttributes({ "service.name": "shop", "host.name": "a" }),
    scopeMetrics: [{ scope, metrics }],
  };
  const accept = "application/openmetrics-text;version=1.0.0";
  const options = { ...page, naming: "upstream", accept, resourceLabels: ["service.*"] } as const;
  const { lines } = await render([], { ...options, labelsScope: () => true });
  expect(lines).toEqual(
    serialize(page, /^service\./)
      .split("\n")
      .slice(0, -1),
  );
  expect(lines).toContain(
    'took_bucket{route="/",otel_scope_name="app",otel_scope_version="1.2.3",service_name="shop",le="1"} 5',
  );
});

test("no metrics at all", async () => {
  const page: Page = { resource: { attributes: {} }, scopeMetrics: [] };
  const { bytes } = await render([], { ...page, naming: "upstream" });
  expect(bytes.toString()).toBe(serialize(page));
  expect(bytes.toString()).toMatch(/# no registered metrics$/);
});
