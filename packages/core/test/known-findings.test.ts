import fc from "fast-check";
import { expect, test } from "vitest";
import { createKnownFindings, readKnownFindings, writeKnownFindings } from "../src/index.js";

const LOOP = { kind: "n_plus_one", endpoint: "GET /orders", fingerprint: "00aa" } as const;

test.each([
  [{ kind: "n_plus_one", endpoint: "GET /orders", fingerprint: "00aa" }, true],
  [{ kind: "n_plus_one", endpoint: "GET /orders" }, true],
  [{ kind: "n_plus_one", fingerprint: "00aa" }, true],
  [{ kind: "n_plus_one", endpoint: "GET /orders", fingerprint: "00bb" }, false],
  [{ kind: "n_plus_one", endpoint: "GET /users", fingerprint: "00aa" }, false],
  [{ kind: "duplicate_query", endpoint: "GET /orders", fingerprint: "00aa" }, false],
] as const)("%j accepts a loop: %s", (entry, accepts) => {
  const known = createKnownFindings([entry]);
  expect(known.unseen()).toEqual([entry]);
  expect(known.accepts(LOOP)).toBe(accepts);
  expect(known.unseen()).toEqual(accepts ? [] : [entry]);
});

test.each([
  ["", /^it is no JSON/],
  ["[]", /^it must be \{ "findings"/],
  ["{}", /^it must be \{ "findings"/],
  ['{ "findings": [7] }', /^findings\[0\] must be an object/],
  [
    '{ "findings": [{ "kind": "n+1", "endpoint": "GET /" }] }',
    /^findings\[0\]\.kind must be one of slow_query, n_plus_one/,
  ],
  ['{ "findings": [{ "kind": "n_plus_one" }] }', /^findings\[0\] must have an endpoint or a fingerprint/],
  ['{ "findings": [{ "kind": "n_plus_one", "endpoint": 7 }] }', /^findings\[0\]\.endpoint must be a text/],
])("%s is a problem", (text, problem) => {
  const { findings, problems } = readKnownFindings(text);
  expect(findings).toEqual([]);
  expect(problems).toEqual([expect.stringMatching(problem)]);
});

test("an entry that is wrong takes no other with it", () => {
  const text = JSON.stringify({
    findings: [LOOP, { kind: "constructor", endpoint: "x" }, { ...LOOP, endpoint: "GET /" }],
  });
  const { findings, problems } = readKnownFindings(text);
  expect(findings.map(({ endpoint }) => endpoint)).toEqual(["GET /orders", "GET /"]);
  expect(problems).toHaveLength(1);
});

test("written again, a file keeps what people wrote into it, and adds only what it does not accept", () => {
  const before = [{ ...LOOP, note: "until the rewrite" }, { kind: "slow_query", endpoint: "GET /report" } as const];
  const slow = { kind: "slow_query", endpoint: "GET /report", fingerprint: "00cc", title: "slow" } as const;
  const other = { ...LOOP, fingerprint: "00bb", title: "another" };
  const nowhere = {
    kind: "event_loop_blocked",
    endpoint: undefined,
    fingerprint: undefined,
    title: "blocked",
  } as const;
  const text = writeKnownFindings([other, LOOP, slow, nowhere, other], before);
  expect(JSON.parse(text)).toEqual({ findings: [...before, other] });
});

const finding = fc.record({
  kind: fc.constantFrom("n_plus_one" as const, "slow_query" as const, "pool_starved" as const),
  endpoint: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  fingerprint: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  title: fc.string(),
});

test("what is written accepts what it was written from, whatever the order", () => {
  fc.assert(
    fc.property(fc.array(finding), (found) => {
      const text = writeKnownFindings(found);
      const nameless = found.map(({ kind, endpoint, fingerprint }) => ({ kind, endpoint, fingerprint }));
      expect(writeKnownFindings(nameless.toReversed())).toBe(writeKnownFindings(nameless));
      const { findings, problems } = readKnownFindings(text);
      expect(problems).toEqual([]);
      const known = createKnownFindings(findings);
      for (const one of found) {
        if ((one.endpoint ?? one.fingerprint) !== undefined) expect(known.accepts(one)).toBe(true);
      }
      expect(known.unseen()).toEqual([]);
    }),
  );
});

test("no text makes it throw", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void readKnownFindings(text)));
  fc.assert(fc.property(fc.jsonValue(), (list) => void readKnownFindings(JSON.stringify({ findings: [list] }))));
});
