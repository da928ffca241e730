import type { DatabasePlace } from "./database-targets.js";
import type { Loan } from "./loans.js";
import type { PoolReporter } from "./pool.js";

/** A connection as its driver's instrumentation shows it to the pool of another library that lends it. */
export interface DriverConnection {
  readonly place: DatabasePlace;
  /** It belongs to a pool that is heard already: the driver's own. */
  readonly isPooled: boolean;
  /** From now on this loan is told what runs there, and what runs there names the pool. */
  lend(reporter: PoolReporter, loan: Loan): void;
}

type Find = (resource: object) => DriverConnection | undefined;

const finders = new Set<Find>();

/** A driver's instrumentation tells its connections from other things; the result takes that back. */
export function knowConnections(find: Find): () => void {
  finders.add(find);
  return () => finders.delete(find);
}

/** Asked once for each thing that a pool makes. Undefined for what is no connection, or none of a driver that is heard. */
export function findConnection(resource: object): DriverConnection | undefined {
  for (const find of finders) {
    const found = find(resource);
    if (found !== undefined) return found;
  }
  return undefined;
}
