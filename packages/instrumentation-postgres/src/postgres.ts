import { defineInstrumentation, type Instrumentation } from "@telltale/core";
import type { Driver, Query } from "./driver.js";
import { createSpy } from "./options-spy.js";
import { patchQuery } from "./source-query.js";

/** postgres.js 3: queries in every form, transactions, and its pool. */
export function postgresInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "postgres",
    modules: [
      {
        module: "postgres",
        calls: "postgres",
        majors: [3, 3],
        target: (exports) => classesOf(exports).query,
        patch({ exports }, guard) {
          const { query, builder } = classesOf(exports);
          return patchQuery(query, createSpy(builder, guard), guard);
        },
      },
    ],
  });
}

/** The driver exports none of its classes, but makes objects of them; it opens no connection for that, and looks at no environment. */
function classesOf(exports: unknown): { query: Query; builder: object } {
  const driver = (typeof exports === "function" ? exports : (exports as { default: unknown }).default) as Driver;
  const sql = driver({ host: "localhost", port: 5432, database: "none", username: "none", password: "none", max: 0 });
  return {
    query: Object.getPrototypeOf(sql.unsafe("")) as Query,
    builder: Object.getPrototypeOf(sql({})) as object,
  };
}
