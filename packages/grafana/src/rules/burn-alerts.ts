import { percent } from "../percent.js";
import type { Promql } from "../promql.js";
import type { Slo } from "../slo.js";
import type { Alert, Severity } from "./alerts.js";
import { BURN_RATES } from "./burn-rates.js";
import { REQUESTS_BAD, requestsBad } from "./names.js";
import { type Objective, objectivesOf } from "./objectives.js";

/** Two alerts for each objective: one for a budget that goes within hours, one for days. */
export function burnAlerts(q: Promql, slo: Slo): Alert[] {
  const { p95Ms, p99Ms, errorRatio } = slo.requests;
  const texts: Readonly<Record<Objective["name"], { alert: string; what: string; runbook: string }>> = {
    errors: {
      alert: "RequestErrors",
      what: `failed (promised: less than ${percent(errorRatio)})`,
      runbook:
        "The Service dashboard says which routes fail and with what (Failures by kind); the traces of those requests name the error and the call that caused it. If it began with a deployment, roll it back first and look afterwards. If one dependency fails (Errors by query in Databases, Failed requests to others), answer without it where you can.",
    },
    p95: {
      alert: "RequestP95Slow",
      what: `took longer than ${p95Ms} ms (promised: less than 5 %)`,
      runbook:
        "Is one route slow or all of them (Service, p95 by route)? One: its traces show the longest span; look for its queries in Databases and for an N+1 in Findings. All: something that they share is used up, see Saturation: the event loop, a pool, the CPU. Adding processes helps against the event loop and the CPU, not against a slow database.",
    },
    p99: {
      alert: "RequestP99Slow",
      what: `took longer than ${p99Ms} ms (promised: less than 1 %)`,
      runbook:
        "The slowest requests have a cause of their own: open their exemplars on the Service dashboard (Duration) and compare the traces. Usual ones are waiting for a connection (Pools), a query that is slow for some parameters (Databases), a garbage collection or a blocked event loop (Runtime), and a dependency that answers late now and then. If the database is the cause, its plan or an index is the cure; if it is the process, split or move what runs long.",
    },
  };
  return objectivesOf(slo).flatMap(({ name, budget }) =>
    (["page", "warn"] as const).flatMap((severity): Alert[] => {
      const expr = burns(q, name, budget, severity, slo.requests.minBad);
      if (expr === undefined) return [];
      const { alert, what, runbook } = texts[name];
      return [
        {
          alert,
          severity,
          labels: { slo: name },
          expr,
          for: severity === "page" ? "2m" : "15m",
          summary: `{{ $value | humanizePercentage }} of the requests of {{ $labels.job }} ${what}`,
          runbook,
          dashboard: "telltale-service",
          variables: { service: "job" },
        },
      ];
    }),
  );
}

/**
 * Over the long window, and still over the short one, with so many bad requests at least; undefined where all requests together could not
 * burn that fast.
 */
function burns(q: Promql, slo: string, budget: number, severity: Severity, minBad: number): string | undefined {
  const which = { slo: `=${slo}` };
  const conditions = BURN_RATES.filter((rate) => rate.severity === severity && rate.factor * budget < 1).map(
    ({ factor, long, short }) => {
      const limit = Number((factor * budget).toPrecision(6));
      const over = (window: string): string => `${q.recorded(requestsBad(window), which)} > ${limit}`;
      // Each rate is that of five minutes: how often rules are evaluated is not known here, nor how long the service has been there.
      const bad = `sum_over_time(${q.recorded(REQUESTS_BAD, which)}[${long}:5m]) * 300`;
      return `(${over(long)} and ${over(short)} and ${bad} >= ${minBad})`;
    },
  );
  return conditions.length === 0 ? undefined : conditions.join(" or ");
}
