import {
  type Attributes,
  type Context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import {
  annotateOperation,
  contextOf,
  endOperation,
  errorType,
  failOperation,
  startHttpServerOperation,
  VERSION,
} from "@telltale/core";
import { type HttpEvent, type OtherEvent, readHttpEvent, readOtherEvent } from "./events.js";

/** What AWS tells of an invocation beside its event. */
export interface LambdaContext {
  readonly functionName?: string;
  readonly awsRequestId?: string;
  readonly invokedFunctionArn?: string;
  getRemainingTimeInMillis?(): number;
}

/** One call of the function: a span, and for an HTTP request all that a request to a server is. Ends once. */
export interface Invocation {
  /** The handler runs in it. */
  readonly context: Context;
  end(result: unknown): void;
  fail(error: unknown): void;
}

let isCold = process.env["AWS_LAMBDA_INITIALIZATION_TYPE"] !== "provisioned-concurrency";

export function beginInvocation(event: unknown, lambda: LambdaContext): Invocation {
  const attributes = describe(lambda);
  const http = readHttpEvent(event);
  return http === undefined
    ? beginOther(readOtherEvent(event), lambda.functionName, attributes)
    : beginHttp(http, attributes);
}

function describe({ awsRequestId, invokedFunctionArn }: LambdaContext): Attributes {
  const cold = isCold;
  isCold = false;
  // arn:aws:lambda:<region>:<account>:function:<name>, and an alias or a version behind that.
  const parts = invokedFunctionArn?.split(":") ?? [];
  return {
    "faas.coldstart": cold,
    ...(awsRequestId !== undefined && { "faas.invocation_id": awsRequestId }),
    ...(parts.length > 6 && {
      "cloud.account.id": parts[4],
      "cloud.resource_id": parts.slice(0, 7).join(":"),
      "aws.lambda.invoked_arn": invokedFunctionArn,
    }),
  };
}

function beginHttp({ start, headers, route, impliedStatus }: HttpEvent, attributes: Attributes): Invocation {
  const operation = startHttpServerOperation(start, propagation.extract(ROOT_CONTEXT, headers));
  if (operation.request !== undefined) operation.request.route = route;
  annotateOperation(operation, "faas.trigger", "http");
  for (const [name, value] of Object.entries(attributes)) annotateOperation(operation, name, value as string | boolean);
  return {
    context: contextOf(operation),
    end(result) {
      const { statusCode: given } = (result ?? {}) as { readonly statusCode?: unknown };
      const status = given === undefined ? impliedStatus : Number(given);
      if (operation.endMs === 0 && Number.isInteger(status)) {
        operation.statusCode = status;
        if (status >= 500) operation.errorType ??= String(status);
      }
      endOperation(operation);
    },
    fail(error) {
      failOperation(operation, error);
      endOperation(operation);
    },
  };
}

function beginOther(
  { spanName, isMessages, links, ...event }: OtherEvent,
  functionName = "lambda",
  attributes: Attributes,
): Invocation {
  const span = trace.getTracer("telltale", VERSION).startSpan(
    spanName ?? functionName,
    {
      kind: isMessages ? SpanKind.CONSUMER : SpanKind.SERVER,
      attributes: { ...event.attributes, ...attributes },
      links,
      root: true,
    },
    ROOT_CONTEXT,
  );
  return {
    context: trace.setSpan(ROOT_CONTEXT, span),
    end: () => span.end(),
    fail(error) {
      if (!span.isRecording()) return;
      const message = error instanceof Error ? error.message : String(error);
      span.setAttribute("error.type", errorType(error));
      span.setStatus({ code: SpanStatusCode.ERROR, message });
      span.recordException(error instanceof Error ? error : message);
      span.end();
    },
  };
}
