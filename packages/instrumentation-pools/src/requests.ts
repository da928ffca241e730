import { Attached, type Guard, replaceMethod } from "@telltale/core";
import type { Asking, Lending } from "./lending.js";

/** What a pool keeps of one who asks: it is resolved with what is lent, or rejected. */
export interface Request {
  resolve(resource: unknown): unknown;
  reject(error: unknown): unknown;
}

/** Who asked, kept on the request. */
class KnownRequest extends Attached {
  readonly #asking: object;

  constructor(request: object, asking: object) {
    super(request);
    this.#asking = asking;
  }

  static askingOf(request: object): object | undefined {
    return #asking in request ? request.#asking : undefined;
  }
}

/** Ties a request to who asks for it now. */
export function keepRequest<Pool extends object>(request: Request, pool: Pool, lending: Lending<Pool>): void {
  const asking = lending.ask(pool);
  // oxlint-disable-next-line no-new
  if (asking !== undefined) new KnownRequest(request, asking);
}

/** Hears what becomes of requests, on the prototype that they have in common. Returns steps that undo it. */
export function hearRequests<Pool extends object>(
  prototype: Request,
  TimeoutError: new () => Error,
  lending: Lending<Pool>,
  guard: Guard,
): (() => void)[] {
  return [
    replaceMethod<Request["resolve"]>(
      prototype,
      "resolve",
      (find) =>
        function (this: Request, resource) {
          const asking = askingOf(this);
          if (asking !== undefined) lending.gave(asking, resource);
          return Reflect.apply(find(), this, arguments);
        },
    ),
    replaceMethod<Request["reject"]>(
      prototype,
      "reject",
      (find) =>
        function (this: Request, error) {
          const asking = askingOf(this);
          if (asking !== undefined) lending.refused(asking, error instanceof TimeoutError);
          return Reflect.apply(find(), this, arguments);
        },
    ),
  ];

  function askingOf(request: Request): Asking<Pool> | undefined {
    if (!lending.isOn()) return undefined;
    try {
      return KnownRequest.askingOf(request) as Asking<Pool> | undefined;
    } catch (error) {
      guard.failed(error);
      return undefined;
    }
  }
}
