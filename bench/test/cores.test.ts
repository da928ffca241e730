import { expect, test } from "vitest";
import { parseCoreList, planCores } from "../src/cores.js";

test.each([
  { list: " 0,1\n", cores: [0, 1] },
  { list: "2-4,7", cores: [2, 3, 4, 7] },
  { list: "5", cores: [5] },
])("$list", ({ list, cores }) => {
  expect(parseCoreList(list)).toEqual(cores);
});

test.each([
  { allowed: [0], plan: undefined },
  { allowed: [], plan: undefined },
  { allowed: [0, 1], plan: { server: 0, load: 1, rest: [1] } },
  { allowed: [2, 3, 4, 7], plan: { server: 2, load: 3, rest: [4, 7] } },
])("of $allowed the first is the server's", ({ allowed, plan }) => {
  expect(planCores(allowed)).toEqual(plan);
});
