import { defineInstrumentation, type Instrumentation, type PoolLink } from "@telltale/core";
import type { Client, Pool, Query } from "./driver.js";
import { patchClient } from "./source-client.js";
import { patchPool } from "./source-pool.js";
import { type SqlTags, writeComment } from "./sql-comment.js";

interface Exports {
  readonly Client: { readonly prototype: Client };
  readonly Query: { readonly prototype: Query };
}

export interface PgOptions {
  /** Lets the listeners ask PostgreSQL how it would run a slow plain SELECT, on connections of their own. Default false. */
  readonly explain?: boolean | undefined;
  /** Tags for a comment (https://google.github.io/sqlcommenter/) at the end of every text that is not prepared by name. Default none. */
  readonly sqlTags?: SqlTags | undefined;
}

/**
 * pg 8 and pg-pool 3: queries in every form, and every `Pool`. The native bindings (`pg.native`) are not heard.
 */
export function pgInstrumentation({ explain = false, sqlTags = {} }: PgOptions = {}): Instrumentation {
  const comment = writeComment(sqlTags);
  const link: PoolLink = { handedOver: undefined };
  return defineInstrumentation({
    name: "pg",
    modules: [
      {
        module: "pg",
        calls: "pg",
        majors: [8, 8],
        target: (exports) => (exports as Exports).Client.prototype,
        patch({ exports }, guard) {
          const { Client, Query } = exports as Exports;
          return patchClient(Client.prototype, Query.prototype, link, guard, { explain, comment });
        },
      },
      {
        module: "pg-pool",
        calls: "pg",
        majors: [3, 3],
        target: (exports) => (exports as { prototype: Pool }).prototype,
        patch: ({ exports }, guard) => patchPool((exports as { prototype: Pool }).prototype, link, guard),
      },
    ],
  });
}
