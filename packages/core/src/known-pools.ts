import { type PoolReading, type PoolReporter, type PoolSource, registerPool } from "./pool.js";

/**
 * The pools that an instrumentation has met, each registered once it is known where it leads. Nothing here keeps a pool alive: one that is
 * collected ends as one does that the app ends.
 */
export class KnownPools<Pool extends object> {
  private readonly reporters = new WeakMap<Pool, PoolReporter>();
  /** Of pools that have not ended. */
  private readonly open = new Set<PoolReporter>();
  private readonly read: (pool: Pool) => PoolReading | undefined;

  /** `read` tells what a pool has now; undefined once it has ended. */
  constructor(read: (pool: Pool) => PoolReading | undefined) {
    this.read = read;
  }

  /** That of a pool which was registered, also when it has ended. */
  get(pool: Pool): PoolReporter | undefined {
    return this.reporters.get(pool);
  }

  /** Whether a pool is registered, and has not ended when it was last read. */
  isOpen(pool: Pool): boolean {
    const reporter = this.reporters.get(pool);
    return reporter !== undefined && this.open.has(reporter);
  }

  /** Registers a pool; anew, where more is known of it now. */
  register(pool: Pool, source: Omit<PoolSource, "read">): PoolReporter {
    this.leave(pool);
    const reference = new WeakRef(pool);
    const reporter: PoolReporter = registerPool({
      ...source,
      read: () => {
        const living = reference.deref();
        const reading = living === undefined ? undefined : this.read(living);
        if (reading === undefined) this.open.delete(reporter);
        return reading;
      },
    });
    this.open.add(reporter);
    this.reporters.set(pool, reporter);
    return reporter;
  }

  /** A pool turns out to be none of its own. */
  leave(pool: Pool): void {
    const reporter = this.reporters.get(pool);
    if (reporter === undefined) return;
    reporter.close();
    this.open.delete(reporter);
    this.reporters.delete(pool);
  }

  /** The instrumentation is disabled. */
  close(): void {
    for (const reporter of this.open) reporter.close();
    this.open.clear();
  }
}
