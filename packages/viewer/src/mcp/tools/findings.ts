import type { FindingItem, Findings } from "../../api/answers.js";
import { limitOf, SERVICE } from "../arguments.js";
import { NoAnswerError } from "../ask-viewer.js";
import { clean } from "../clean.js";
import { describeMoment, describeMs } from "../describe-time.js";
import { inputSchema } from "../input-schema.js";
import { defineTool } from "../tool.js";

export const listFindings = defineTool({
  name: "list_findings",
  title: "Findings",
  description:
    "Lists what Telltale found wrong with the watched services, worst first: N+1 queries, slow queries, cache stampedes, exhausted pools, a " +
    "blocked event loop and more, each with how often, the time lost, where in the code, and what to do. get_finding tells all of one.",
  inputSchema: inputSchema({
    service: SERVICE,
    kind: { type: "string", description: "Only of this kind, as the answer names them: n_plus_one, slow_query." },
    include_muted: { type: "boolean", description: "Also those that somebody muted.", default: false },
    limit: limitOf(20),
  }),
  async call({ service, kind, include_muted: muted, limit }, ask) {
    const answer = (await ask(["findings"], { service, kind, muted: muted === true ? true : undefined })) as Findings;
    const shown = answer.findings.slice(0, Number(limit));
    const count = answer.findings.length;
    const hidden = answer.muted > 0 && muted !== true ? ` ${answer.muted} muted ones are left out.` : "";
    return {
      heading:
        count === 0
          ? `No findings.${hidden} Findings need traffic: send the program some requests, then ask again.`
          : `${shown.length} of ${count} findings, worst first.${hidden}`,
      lines: shown.flatMap(describeShortly),
      data: { findings: shown.map(summarize), total: count, muted: answer.muted },
    };
  },
});

export const getFinding = defineTool({
  name: "get_finding",
  title: "One finding",
  description:
    "Tells all of one finding: cause, evidence, query, plan, place in the code, advice, and the trace to look at with get_trace.",
  inputSchema: inputSchema(
    { id: { type: "string", description: "As list_findings names it.", minLength: 1, maxLength: 200 } },
    ["id"],
  ),
  async call({ id }, ask) {
    const { findings } = (await ask(["findings"], { muted: true })) as Findings;
    const finding = findings.find((one) => one.id === id);
    if (finding === undefined) {
      throw new NoAnswerError("There is no finding of this id: list_findings names those that are kept.");
    }
    return {
      heading: `One finding, seen ${finding.count} times.${finding.isMuted ? " It is muted." : ""}`,
      lines: [...describeShortly(finding), ...describeFurther(finding)],
      data: { finding },
    };
  },
});

/** A finding in a few lines, as lists and traces show it. */
export function describeShortly(finding: FindingItem): string[] {
  const { count, lostMs, service, endpoint, site, advice, traceId } = finding;
  const facts = [
    `${count}×`,
    lostMs === null ? "" : `${describeMs(lostMs)} lost`,
    `service ${clean(service, 80)}`,
    endpoint === null ? "" : clean(endpoint, 120),
    site === null ? "" : `at ${clean(site, 160)}`,
    finding.isAccepted ? "accepted" : "",
  ].filter((fact) => fact !== "");
  return [
    `[${clean(finding.severity, 10)}] ${clean(finding.kind, 40)}: ${clean(finding.title)}`,
    `  ${facts.join(" · ")}`,
    ...(advice === null ? [] : [`  do: ${clean(advice)}`]),
    `  id ${clean(finding.id, 200)}${traceId === null ? "" : ` · trace ${clean(traceId, 40)}`}`,
  ];
}

function describeFurther(finding: FindingItem): string[] {
  const { cause, queryText, fingerprint, plan, evidence } = finding;
  return [
    `  first ${describeMoment(finding.firstMs)}, last ${describeMoment(finding.lastMs)}`,
    ...(cause === null ? [] : [`  cause: ${clean(cause, 1_000)}`]),
    ...(queryText === null ? [] : [`  query: ${clean(queryText, 2_000)}`]),
    ...(fingerprint === null ? [] : [`  fingerprint: ${clean(fingerprint, 100)} (get_query)`]),
    ...(plan === null ? [] : ["  plan:", ...plan.split("\n", 60).map((line) => `    ${clean(line)}`)]),
    ...Object.entries(evidence)
      .slice(0, 40)
      .map(
        ([name, value]) => `  ${clean(name, 80)}: ${clean(typeof value === "string" ? value : JSON.stringify(value))}`,
      ),
  ];
}

/** Without what get_finding tells. */
function summarize(finding: FindingItem): object {
  return { ...finding, evidence: undefined, plan: undefined };
}
