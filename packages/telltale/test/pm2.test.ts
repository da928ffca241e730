import { describe, expect, test } from "vitest";
import { findProgram } from "../src/pm2.js";
import { findRole } from "../src/role.js";

const lib = "/usr/lib/node_modules/pm2/lib";

describe("the program that PM2 runs", () => {
  test("fork mode: its script stands in the environment", () => {
    const env = { pm_exec_path: "/srv/shop/app.js", OTEL_SERVICE_NAME: "shop" };
    expect(findProgram(`${lib}/ProcessContainerFork.js`, env)).toEqual({ script: "/srv/shop/app.js", env });
  });

  test("cluster mode: script and variables come later, and stand in one variable until then", () => {
    const pm2 = {
      pm_exec_path: "/srv/shop/app.js",
      OTEL_SERVICE_NAME: "shop",
      OTEL_EXPORTER_PROMETHEUS_PORT: 9500,
      axm_options: {},
    };
    const { script, env } = findProgram(`${lib}/ProcessContainer.js`, {
      OTEL_SERVICE_NAME: "daemon's",
      HOME: "/root",
      pm2_env: JSON.stringify(pm2),
    });
    expect(script).toBe("/srv/shop/app.js");
    expect(env).toMatchObject({ OTEL_SERVICE_NAME: "shop", OTEL_EXPORTER_PROMETHEUS_PORT: "9500", HOME: "/root" });
    expect(env["axm_options"]).toBe(undefined);
  });

  test("without what PM2 leaves, the script is what it is", () => {
    const script = `${lib}/ProcessContainer.js`;
    expect(findProgram(script, { pm2_env: "{" })).toEqual({ script, env: { pm2_env: "{" } });
  });

  test("a program that such a program starts is its own", () => {
    const env = { pm_exec_path: "/srv/shop/app.js" };
    expect(findProgram("/srv/shop/migrate.js", env)).toEqual({ script: "/srv/shop/migrate.js", env });
    expect(findProgram(undefined, env)).toEqual({ script: undefined, env });
  });
});

test.each([
  [`${lib}/Daemon.js`, "tool"],
  ["/usr/lib/node_modules/pm2/bin/pm2", "tool"],
  ["/usr/bin/pm2", "tool"],
  ["/usr/bin/pm2-runtime", "tool"],
  [`${lib}/ProcessContainerFork.js`, "app"],
  ["/srv/shop/pm2.js", "app"],
  ["/srv/shop/node_modules/.bin/telltale", "tool"],
  // What is given to `node -e`.
  ["npm", "app"],
])("%s is to us: %s", (script, role) => {
  expect(findRole(script)).toBe(role);
});
