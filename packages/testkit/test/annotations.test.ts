import type { Finding } from "@telltale/core";
import { expect, test } from "vitest";
import { toAnnotation } from "../src/github-annotations.js";

const finding = (parts: Partial<Finding>): Finding =>
  ({ kind: "n_plus_one", title: "one", advice: "two", ...parts }) as Finding;

// By https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands and the runner's own escaping.
test.each<[name: string, parts: Partial<Finding>, expected: string]>([
  ["no place", {}, "::error title=Telltale%3A n_plus_one::one%0Atwo"],
  [
    "a place",
    { callSite: { file: "/repo/src/a.ts", line: 4, column: 2 } },
    "::error file=src/a.ts,line=4,col=2,title=Telltale%3A n_plus_one::one%0Atwo",
  ],
  [
    "a place without a column",
    { callSite: { file: "/repo/src/a.ts", line: 4 } },
    "::error file=src/a.ts,line=4,title=Telltale%3A n_plus_one::one%0Atwo",
  ],
  [
    "a file elsewhere",
    { callSite: { file: "/other/a.ts", line: 4 } },
    "::error file=/other/a.ts,line=4,title=Telltale%3A n_plus_one::one%0Atwo",
  ],
  [
    "a name with what ends a property",
    { callSite: { file: "/repo/a,b:c%d.ts", line: 1 } },
    "::error file=a%2Cb%3Ac%25d.ts,line=1,title=Telltale%3A n_plus_one::one%0Atwo",
  ],
  [
    "a message with what ends a line",
    { title: "50 % of 1:2,3\r\n::error::no", advice: "%0A" },
    "::error title=Telltale%3A n_plus_one::50 %25 of 1:2,3%0D%0A::error::no%0A%250A",
  ],
])("%s", (_, parts, expected) => {
  expect(toAnnotation(finding(parts), "/repo")).toBe(expected);
});
