import { defineInstrumentation, type Instrumentation, requireInner, undoAll } from "@telltale/core";
import type { Connection, ConnectionPool } from "./driver.js";
import { patchConnection } from "./source-connection.js";
import { patchPool } from "./source-pool.js";

const CONNECTION = "./cmap/connection.js";
const POOL = "./cmap/connection_pool.js";

/** mongodb 6 and 7: commands as they are sent, and the pools of each server. */
export function mongodbInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "mongodb",
    modules: [
      {
        module: "mongodb",
        calls: "mongodb",
        majors: [6, 7],
        // The main module hands neither of them out.
        inner: [CONNECTION, POOL],
        patch(loaded, guard) {
          const connections = requireInner(loaded, CONNECTION) as { Connection: { prototype: Connection } };
          const pools = requireInner(loaded, POOL) as { ConnectionPool: { prototype: ConnectionPool } };
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
