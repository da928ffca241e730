import { sayOnce } from "@telltale/core";
import { assemble, type Telltale } from "./assemble.js";
import type { TelltaleOptions } from "./config/options.js";
import { resolveConfig } from "./config/resolve.js";
import { findProgram } from "./pm2.js";
import { running, setRunning } from "./running.js";
import { findScript } from "./script.js";

const TOO_LATE =
  "start() has options, and Telltale is running already, by the preload or another start(): they are ignored; put them into telltale.config.json";

/**
 * Starts Telltale in this process; the preload does the same with no options. Call it before the libraries it should see are
 * loaded. Options win over `OTEL_*` and `TELLTALE_*` variables, which win over `telltale.config.{json,js,mjs}` beside the app's
 * package.json. Where it is running already, that one is returned and the options are ignored, which a line says.
 *
 * @throws ConfigError with every problem found, when any source has a wrong option; nothing is then started.
 */
export function start(options: TelltaleOptions = {}): Telltale {
  const already = running();
  if (already !== undefined) {
    if (Object.keys(options).length > 0) sayOnce("info", TOO_LATE);
    return already;
  }
  const { script, env } = findProgram(findScript(), process.env);
  const config = resolveConfig(options, env, script, process.cwd());
  const telltale = assemble(config, () => setRunning(undefined));
  setRunning(telltale);
  return telltale;
}
