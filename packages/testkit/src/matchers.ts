import {
  judgeFindings,
  judgeQueries,
  type NoFindingsOptions,
  type QueryCount,
  type QueryCountOptions,
} from "./expectations.js";

/** What the matchers need to know of where they are called. */
interface MatcherContext {
  readonly currentTestName?: string | undefined;
}

interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** The matchers, as a program that uses them sees them: `R` is what a matcher returns. */
export interface TelltaleMatchers {
  /** Runs the function given to `expect`; passes if Telltale finds nothing in it. To be awaited. */
  toHaveNoFindings(options?: NoFindingsOptions): Promise<void>;
  /** Runs the function given to `expect`; passes if it runs so many queries. To be awaited. */
  toRunQueries(count: QueryCount, options?: QueryCountOptions): Promise<void>;
}

/** For `expect.extend` of vitest, Jest, and whoever has it. */
export const matchers = {
  async toHaveNoFindings(this: MatcherContext, run: unknown, options?: NoFindingsOptions): Promise<MatcherResult> {
    const { pass, message } = await judgeFindings(runnable(run, "toHaveNoFindings"), {
      name: this.currentTestName,
      ...options,
    });
    return { pass, message: () => (pass ? "expected findings, got none" : message()) };
  },
  async toRunQueries(
    this: MatcherContext,
    run: unknown,
    count: QueryCount,
    options?: QueryCountOptions,
  ): Promise<MatcherResult> {
    const { pass, message } = await judgeQueries(runnable(run, "toRunQueries"), count, {
      name: this.currentTestName,
      ...options,
    });
    return {
      pass,
      message: () => (pass ? `expected another number of queries than ${JSON.stringify(count)}` : message()),
    };
  },
};

function runnable(run: unknown, matcher: string): () => unknown {
  if (typeof run === "function") return run as () => unknown;
  throw new TypeError(`${matcher} needs a function that it can run: await expect(() => …).${matcher}(…)`);
}
