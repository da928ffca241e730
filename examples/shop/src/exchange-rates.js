import { setTimeout as sleep } from "node:timers/promises";

/** Stands for a slow service somewhere else. */
export async function fetchExchangeRates() {
  await sleep(400);
  return { usd: 1.08 };
}
