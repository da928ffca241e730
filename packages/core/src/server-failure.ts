/** What a server said of a failed call, as far as it may be recorded. */
export class ServerFailure extends Error {
  readonly code: string;

  /** Of the message what is quoted stays out, which may be a value or the whole text; where quotes within the quote end nobody can tell. */
  constructor(message: string, code: string) {
    super(message.replace(/['"`].*$/s, "…"));
    this.code = code;
  }
}
