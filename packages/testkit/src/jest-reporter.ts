import { type FindingsReporterOptions, type RunOfTests, watchTests } from "./new-findings.js";

/** A reporter for Jest, as the one for vitest: `reporters: ["default", ["@telltale/testkit/jest-reporter", { … }]]`. */
export class JestReporter {
  private readonly options: FindingsReporterOptions;
  private run: RunOfTests | undefined;
  private failed = false;

  constructor(_config: unknown, options: FindingsReporterOptions = {}) {
    this.options = options;
  }

  onRunStart(): void {
    this.run = watchTests(this.options);
  }

  onRunComplete(): void {
    this.failed = this.run?.end() ?? false;
  }

  getLastError(): Error | undefined {
    return this.failed ? new Error("Telltale found something new") : undefined;
  }
}
