import { defineInstrumentation, type Instrumentation, type LoadedModule, requireInner, undoAll } from "@telltale/core";
import type { Driver } from "./driver.js";
import type { MysqlPoolLink } from "./pool-call.js";
import { createExplainers } from "./explain.js";
import { patchCluster } from "./source-cluster.js";
import { patchCommand } from "./source-command.js";
import { patchConnection } from "./source-connection.js";
import { patchPool } from "./source-pool.js";

export interface Mysql2Options {
  /** Lets the listeners ask the server how it would run a slow plain SELECT, on connections of their own. Default false. */
  readonly explain?: boolean | undefined;
}

/** mysql2 3, by callback and by promise: queries in every form, pools and clusters of pools; MySQL and MariaDB. */
export function mysql2Instrumentation({ explain = false }: Mysql2Options = {}): Instrumentation {
  return defineInstrumentation({
    name: "mysql2",
    modules: [
      {
        module: "mysql2",
        calls: "mysql2",
        majors: [3, 3],
        // In newer releases `mysql2/promise` does without the main module, and hands out none of the classes below its own.
        others: ["promise.js"],
        inner: [MAIN],
        target: (_, loaded) => ownerOf(driverOf(loaded).Connection.prototype, "addCommand"),
        patch(loaded, guard) {
          const { Connection, Pool, PoolCluster } = driverOf(loaded);
          const link: MysqlPoolLink = { handedOver: undefined, nameOf: () => undefined };
          const query = Connection.createQuery("", undefined, undefined, {});
          const { prototype } = Connection;
          // The driver's own methods, read before they are patched.
          const methods = { query: prototype.query, execute: prototype.execute, format: prototype.format };
          const undo = [
            patchCommand(ownerOf(query, "execute"), link, guard),
            patchConnection(
              ownerOf(prototype, "addCommand"),
              link,
              guard,
              explain ? createExplainers(Connection, methods) : undefined,
            ),
            patchPool(ownerOf(Pool.prototype, "getConnection"), link, guard),
            patchCluster(Object.getPrototypeOf(new PoolCluster({}).of("*")), link, guard),
          ];
          return () => undoAll(undo);
        },
      },
    ],
  });
}

const MAIN = "./index.js";

function driverOf(loaded: LoadedModule): Driver {
  return requireInner(loaded, MAIN) as Driver;
}

/** The prototype that a method is on: newer releases have their classes in two parts. */
function ownerOf<Owner extends object>(of: Owner, method: string): Owner {
  let owner = of;
  while (!Object.hasOwn(owner, method)) owner = Object.getPrototypeOf(owner) as Owner;
  return owner;
}
