/** A request that is not taken: the status, the reason that it is counted by, and what its sender should know. */
export class Refused extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = "Refused";
    this.status = status;
    this.reason = reason;
  }
}
