import { createRequire } from "node:module";
import { defineInstrumentation, type Instrumentation, undoAll } from "@telltale/core";
import type { Connection, ConnectionPool } from "./driver.js";
import { patchConnection } from "./source-connection.js";
import { patchPool } from "./source-pool.js";

/** mongodb 6 and 7: commands as they are sent, and the pools of each server. */
export function mongodbInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "mongodb",
    systems: ["mongodb"],
    modules: [
      {
        module: "mongodb",
        majors: [6, 7],
        patch({ file }, guard) {
          // The main module hands neither of them out.
          const require = createRequire(file);
          const connections = require("./cmap/connection.js") as { Connection: { prototype: Connection } };
          const pools = require("./cmap/connection_pool.js") as { ConnectionPool: { prototype: ConnectionPool } };
          const undo = [
            patchConnection(connections.Connection.prototype, guard),
            patchPool(pools.ConnectionPool.prototype, guard),
          ];
          return () => undoAll(undo);
        },
      },
    ],
  });
}
