/** What the caller is told, with its status, in the form of the API that was asked. */
export class JaegerError extends Error {
  readonly status: number;
  /** The one that could not be read, where it was one. */
  readonly parameter: string | undefined;
  constructor(status: number, message: string, parameter?: string) {
    super(message);
    this.status = status;
    this.parameter = parameter;
  }
}
