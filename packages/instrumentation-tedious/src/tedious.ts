import { defineInstrumentation, type Instrumentation } from "@telltale/core";
import type { MssqlDriver, TediousDriver } from "./driver.js";
import type { PoolLink } from "./link.js";
import { patchConnection } from "./source-connection.js";
import { patchPool } from "./source-pool.js";

/** tedious 18 to 20, by itself and below mssql 11 and 12, whose pools are told of. */
export function tediousInstrumentation(): Instrumentation {
  const link: PoolLink = { handedOver: undefined };
  return defineInstrumentation({
    name: "tedious",
    modules: [
      {
        module: "tedious",
        calls: "tedious",
        majors: [18, 20],
        patch: ({ exports }, guard) => patchConnection((exports as TediousDriver).Connection.prototype, link, guard),
      },
      {
        module: "mssql",
        calls: "tedious",
        majors: [11, 12],
        patch: ({ exports }, guard) => patchPool((exports as MssqlDriver).ConnectionPool.prototype, link, guard),
      },
    ],
  });
}
