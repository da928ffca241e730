import type { ServerResponse } from "node:http";
import type { Context } from "@opentelemetry/api";
import type { HttpServerOperation, Request } from "@telltale/core";
import { createAttachment } from "./attachment.js";
import type { Routing } from "./routing.js";

/** A request that is being served. */
export interface Served {
  readonly operation: HttpServerOperation;
  readonly request: Request | undefined;
  readonly response: ServerResponse;
  /** What handlers and the listeners of both messages run in. */
  readonly context: Context;
  /** Where a framework's routers are with it. */
  routing: Routing | undefined;
  /** Those that wait behind another response of their connection, this one among them. */
  queue: Set<Served> | undefined;
}

/** Found by the incoming message and by the response. */
export const served = createAttachment<Served>();
