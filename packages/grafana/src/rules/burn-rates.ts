/** How fast the error budget of 30 days goes, seen over a long window and a short one that says whether it still does. */
export interface BurnRate {
  readonly severity: "page" | "warn";
  readonly factor: number;
  readonly long: string;
  readonly short: string;
}

/** https://sre.google/workbook/alerting-on-slos/: 2 % of the budget in an hour, 5 % in 6 hours, 10 % in a day, 10 % in three days. */
export const BURN_RATES: readonly BurnRate[] = [
  { severity: "page", factor: 14.4, long: "1h", short: "5m" },
  { severity: "page", factor: 6, long: "6h", short: "30m" },
  { severity: "warn", factor: 3, long: "1d", short: "2h" },
  { severity: "warn", factor: 1, long: "3d", short: "6h" },
];

export const BURN_WINDOWS: readonly string[] = [...new Set(BURN_RATES.flatMap(({ long, short }) => [short, long]))];
