import { type HttpPlace, limitOf, type PoolReading, type PoolReporter, registerPool } from "@telltale/core";

/** A program that speaks to hosts without number (a crawler) has as many pools. */
const MAX_POOLS = 100;
const unheard = limitOf("http.pools");
const open = new Set<PoolReporter>();

/** Connections that are kept to one server. Undefined where there are too many. */
export function registerHttpPool(
  origin: string,
  http: HttpPlace,
  read: () => PoolReading | undefined,
): PoolReporter | undefined {
  if (open.size >= MAX_POOLS) {
    unheard.total += 1;
    return undefined;
  }
  const reporter: PoolReporter = registerPool({
    name: origin,
    system: undefined,
    http,
    read() {
      const reading = read();
      if (reading === undefined) open.delete(reporter);
      return reading;
    },
  });
  open.add(reporter);
  return reporter;
}

/** False once the pool has ended, or the instrumentation was disabled: it may be registered again. */
export function isOpen(reporter: PoolReporter): boolean {
  return open.has(reporter);
}

/** The instrumentation is disabled. */
export function closeHttpPools(): void {
  for (const reporter of open) reporter.close();
  open.clear();
}
