import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import type { Naming } from "@telltale/core";
import { buildDashboard } from "./build-dashboard.js";
import { planCaches } from "./dashboards/caches.js";
import { planDatabases } from "./dashboards/databases.js";
import { planFindings } from "./dashboards/findings.js";
import { planPools } from "./dashboards/pools.js";
import { planRuntime } from "./dashboards/runtime.js";
import { planService } from "./dashboards/service.js";
import { INSTANCES } from "./panel.js";
import { createPromql } from "./promql.js";
import type { Slo } from "./slo.js";

const PLANS = [planService, planDatabases, planCaches, planPools, planRuntime, planFindings];

/** All dashboards, with names of metrics as `naming` makes them and thresholds as `slo` says. */
export function createDashboards(naming: Naming, slo: Slo): Dashboard[] {
  const q = createPromql(naming, { target: INSTANCES, window: "$__rate_interval" });
  return PLANS.map((plan) => buildDashboard(plan({ q, slo }), q));
}
