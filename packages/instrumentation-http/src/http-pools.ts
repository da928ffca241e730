import { type HttpPlace, limitOf, type PoolReading, type PoolReporter, registerPool } from "@telltale/core";

/** A program that speaks to hosts without number (a crawler) has as many pools. */
const MAX_POOLS = 100;
const unheard = limitOf("http.pools");
let registered = 0;

/** Connections that are kept to one server. Undefined where there are too many. */
export function registerHttpPool(
  origin: string,
  http: HttpPlace,
  read: () => PoolReading | undefined,
): PoolReporter | undefined {
  if (registered >= MAX_POOLS) {
    unheard.total += 1;
    return undefined;
  }
  registered += 1;
  let isOver = false;
  return registerPool({
    name: origin,
    system: undefined,
    http,
    read() {
      const reading = read();
      if (reading === undefined && !isOver) {
        isOver = true;
        registered -= 1;
      }
      return reading;
    },
  });
}
