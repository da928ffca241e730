import type { ServerResponse } from "node:http";
import type { Context } from "@opentelemetry/api";
import { createAttachment, type HttpServerOperation, type Request } from "@telltale/core";
import type { Routing } from "./routing.js";

/** A request that is being served. */
export class Served {
  readonly operation: HttpServerOperation;
  readonly request: Request | undefined;
  readonly response: ServerResponse;
  /** What handlers and the listeners of both messages run in. */
  readonly context: Context;
  /** Where a framework's routers are with it. */
  routing: Routing | undefined = undefined;
  /** Those that wait behind another response of their connection, this one among them. */
  queue: Set<Served> | undefined = undefined;

  constructor(operation: HttpServerOperation, response: ServerResponse, context: Context) {
    this.operation = operation;
    this.request = operation.request;
    this.response = response;
    this.context = context;
  }
}

/** Found by the incoming message and by the response. */
export const served = createAttachment<Served>();
