import { spawnSync } from "node:child_process";
import { namings, type NamingStrategy } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { assert, asyncProperty } from "fast-check";
import { describe, expect, test } from "vitest";
import { buckets, counter, exponential, gauge, histogram, render } from "./pages.js";
import { parseOpenMetrics } from "./parse-openmetrics.js";
import { pageOf } from "./random-pages.js";

const OPENMETRICS = "application/openmetrics-text;version=1.0.0";
// What upstream's names are put on is upstream's page, valid or not.
const strategies = (Object.keys(namings) as NamingStrategy[]).filter((naming) => naming !== "upstream");

describe.each(strategies)("%s", (naming) => {
  test.each(["", ";escaping=underscores", ";escaping=allow-utf-8", ";escaping=dots", ";escaping=values"])(
    "whatever metrics there are, the page is OpenMetrics%s",
    async (escaping) => {
      await assert(
        asyncProperty(pageOf(60), async (page) => {
          const { bytes } = await render([], {
            ...page,
            naming,
            labelsScope: () => true,
            accept: OPENMETRICS + escaping,
          });
          const families = parseOpenMetrics(bytes.toString());
          if (escaping === ";escaping=allow-utf-8") return;
          const names = families.flatMap(({ samples }) =>
            samples.map((sample) => [sample.name, ...sample.labels.keys()]),
          );
          expect(names.flat().filter((name) => !/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name))).toEqual([]);
        }),
        { numRuns: 40 },
      );
    },
  );
});

/** What promtool says of a page. Its exit code is 1 where the page does not parse, 3 where it has advice. */
function check(page: string | Uint8Array): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

describeWith(["prometheus"], "promtool", () => {
  test("has nothing to say of an ordinary page", async () => {
    const { bytes } = await render(
      [
        counter("orders", [[{ shop: "a" }, 1]], { unit: "{order}", description: "Orders." }),
        gauge("load", [[{}, 0.5]], { unit: "1", description: "Load." }),
        histogram("took", [[{}, buckets([0.1, 1], [1, 2, 3], 4)]], { unit: "s", description: "Time." }),
      ],
      { resource: { attributes: { "service.name": "shop" } } },
    );
    expect(check(bytes)).toEqual({ status: 0, output: "" });
  });

  test("refuses what does not parse, so that this file proves something", () => {
    expect(check('x{a="1",a="2"} 1\n')).toMatchObject({ status: 1 });
    expect(check('x{a="\\"} 1\n')).toMatchObject({ status: 1 });
  });

  test.each(strategies)("parses whatever metrics there are, named by %s", async (naming) => {
    await assert(
      asyncProperty(pageOf(120), async (page) => {
        const { bytes, lines } = await render([], { ...page, naming });
        const { status, output } = check(bytes);
        expect(status === 0 || status === 3 ? "" : `${status}: ${output}`).toBe("");
        // promtool does not look for a series that comes twice; Prometheus refuses it.
        const series = lines
          .filter((line) => !line.startsWith("#"))
          .map((line) => line.slice(0, line.lastIndexOf(" ")));
        expect(new Set(series).size).toBe(series.length);
      }),
      { numRuns: 12 },
    );
  });

  test("100,000 series", async () => {
    const series = Array.from({ length: 50_000 }, (_, n) => [{ "path.to": `/${n}/"\\\n`, größe: n }, n] as const);
    const metrics = [counter("a", series), gauge("b", series), exponential("c", series.slice(0, 500).map(spread))];
    const { bytes, lines } = await render(metrics);
    expect(lines.length).toBeGreaterThan(100_000);
    expect(check(bytes)).toMatchObject({ status: 3, output: expect.not.stringContaining("error") });
    const openMetrics = await render(metrics, { accept: OPENMETRICS });
    const families = parseOpenMetrics(openMetrics.bytes.toString());
    expect(families.flatMap(({ samples }) => samples)).toHaveLength(
      lines.filter((line) => !line.startsWith("#")).length,
    );
  });
});

function spread([attributes, n]: readonly [Record<string, string | number>, number]) {
  const positive = { offset: n % 7, bucketCounts: [1, 2, n] };
  const value = { scale: 0, zeroCount: 1, positive, negative: { offset: 0, bucketCounts: [] }, count: 4 + n, sum: n };
  return [attributes, value] as const;
}

test("the parser refuses what is not OpenMetrics, so that this file proves something", () => {
  const wrong = [
    "# TYPE x gauge\nx 1\n",
    "# TYPE x gauge\nx 1\n# EOF\nx 2\n# EOF\n",
    "x 1\n# EOF\n",
    "# TYPE x counter\nx 1\n# EOF\n",
    "# TYPE x counter\nx_total NaN\n# EOF\n",
    "# TYPE x counter\nx_total 1\nx_total 1\n# EOF\n",
    "# TYPE x gauge\nx 1\n# TYPE y gauge\ny 1\n# TYPE x gauge\n# EOF\n",
    "# TYPE x counter\nx_total 1\n# TYPE x_total gauge\nx_total 1\n# EOF\n",
    "# TYPE x gauge\n# UNIT x seconds\nx 1\n# EOF\n",
    '# TYPE x gauge\nx{a="1",a="1"} 1\n# EOF\n',
    '# TYPE x gauge\nx{a.b="1"} 1\n# EOF\n',
    '# TYPE x gauge\nx{a="\\t"} 1\n# EOF\n',
    "# TYPE x gauge\nx 1 # {} 1 1\n# EOF\n",
    '# TYPE x histogram\nx_bucket{le="1.0"} 1\n# EOF\n',
    '# TYPE x histogram\nx_bucket{le="1"} 1\nx_bucket{le="+Inf"} 1\n# EOF\n',
    '# TYPE x histogram\nx_bucket{le="1.0"} 2\nx_bucket{le="+Inf"} 1\n# EOF\n',
    '# TYPE x histogram\nx_bucket{le="+Inf"} 1\nx_count 1\n# EOF\n',
    '# TYPE x histogram\nx_bucket{le="-1.0"} 1\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n# EOF\n',
    '# TYPE x histogram\nx_bucket{le="1.0"} 1 # {} 2 1\nx_bucket{le="+Inf"} 1\n# EOF\n',
    `# TYPE x counter\nx_total 1 # {a="${"b".repeat(128)}"} 2 1\n# EOF\n`,
  ];
  for (const page of wrong) expect(() => parseOpenMetrics(page), page).toThrow();
});
