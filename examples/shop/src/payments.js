import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { httpError } from "./http-error.js";

/** Stands for a payment provider. Cards that end in 0000 are declined. */
export async function chargeCard({ card, cents }) {
  await sleep(15);
  if (card.endsWith("0000")) throw httpError(402, `the card was declined for ${(cents / 100).toFixed(2)} EUR`);
  return `pay_${randomUUID()}`;
}
