import { existsSync } from "node:fs";
import { join } from "node:path";
import { setSay } from "@telltale/core";
import { OWN_VARIABLES } from "../../config/environment.js";
import { ConfigError } from "../../config/options.js";
import { type Config, resolveConfig } from "../../config/resolve.js";
import { leaveOutMissing } from "../../optional-package.js";
import type { Check } from "./check.js";
import type { App } from "./find-app.js";

/** The configuration as the preload would read it, and what is wrong with it; the one of nothing at all where it would not start. */
export function checkConfig({ folder, entry }: App): { config: Config; checks: Check[]; starts: boolean } {
  const subject = "config";
  let config: Config;
  try {
    config = resolveConfig({}, process.env, entry ?? join(folder, "app.js"), folder);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const checks = error.problems.map((text): Check => ({
      subject,
      status: "problem",
      text,
      cure: "put it right: until then Telltale does not start",
    }));
    return { config: { packageName: undefined }, checks, starts: false };
  }
  if (config.enabled === false) {
    const cure = "unset OTEL_SDK_DISABLED, or enabled in the configuration file";
    return { config, checks: [{ subject, status: "problem", text: "Telltale is switched off", cure }], starts: false };
  }
  const missing: string[] = [];
  setSay((_, line) => missing.push(line));
  const left = leaveOutMissing(config);
  setSay(() => {});
  const file = ["json", "js", "mjs"]
    .map((type) => `telltale.config.${type}`)
    .find((name) => existsSync(join(folder, name)));
  const variables = Object.keys(process.env).filter((name) => /^(OTEL|TELLTALE)_/.test(name));
  const unknown = variables.filter((name) => name.startsWith("TELLTALE_") && !OWN_VARIABLES.includes(name));
  const read = variables.length - unknown.length;
  const from = [file, read > 0 ? `${read} variable${read === 1 ? "" : "s"}` : undefined];
  const checks: Check[] = [
    { subject, status: "ok", text: from.filter((name) => name !== undefined).join(", ") || "the defaults" },
    ...unknown.map((name): Check => ({
      subject,
      status: "warning",
      text: `${name} is a variable that Telltale does not know`,
      cure: `known are ${OWN_VARIABLES.join(", ")}`,
    })),
    ...missing.map((text): Check => ({ subject: "package", status: "problem", text })),
  ];
  return { config: left, checks, starts: true };
}
