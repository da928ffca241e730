import { sayOnce } from "@telltale/core";

/**
 * A number from a variable that has no option of ours. What is none, or below `least`, is said once and counts as not set:
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#numeric
 */
export function readNumber(variable: string, least = 1): number | undefined {
  const given = process.env[variable]?.trim() ?? "";
  if (given === "") return undefined;
  const value = Number(given);
  if (value >= least) return value;
  sayOnce(
    "error",
    `${variable} must be a number of at least ${least}, got ${JSON.stringify(given)}; it counts as not set`,
  );
  return undefined;
}
