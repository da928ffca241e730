import { listCaches } from "./tools/list-caches.js";
import { listPools } from "./tools/list-pools.js";
import { getFinding, listFindings } from "./tools/findings.js";
import { getQuery, listSlowQueries } from "./tools/queries.js";
import { getTrace } from "./tools/get-trace.js";
import { listRequests } from "./tools/list-requests.js";
import type { Tool } from "./tool.js";

export const TOOLS: readonly Tool[] = [
  listFindings,
  getFinding,
  listSlowQueries,
  getQuery,
  listRequests,
  getTrace,
  listCaches,
  listPools,
];
