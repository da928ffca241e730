import { defineInstrumentation, type Instrumentation, undoAll } from "@telltale/core";
import { classesOf } from "./classes.js";
import { patchCommand } from "./source-command.js";
import { patchConnection } from "./source-connection.js";
import { patchPool } from "./source-pool.js";

/** The mariadb driver 3, by callback and by promise: queries in every form, pools and clusters of pools; MariaDB and MySQL. */
export function mariadbInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "mariadb",
    modules: [
      {
        module: "mariadb",
        calls: "mariadb",
        majors: [3, 3],
        // `mariadb/callback`; newer releases have it once more for `require`, with classes of its own.
        others: ["callback.js", "dist/callback.cjs"],
        target: (exports) => classesOf(exports).connection,
        patch({ exports }, guard) {
          const { connection, command, pool } = classesOf(exports);
          const undo = [patchCommand(command, guard), patchConnection(connection, guard), patchPool(pool, guard)];
          return () => undoAll(undo);
        },
      },
    ],
  });
}
