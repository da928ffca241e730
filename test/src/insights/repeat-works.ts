import { setTimeout as pause } from "node:timers/promises";
import type { FindingKind } from "@telltale/core";

export type Row = Record<string, number>;

export interface NamedQuery {
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

/** A client or pool, as pg has them; values are `$1`, `$2`, … in this order. */
export interface Queries {
  query(text: string | NamedQuery, values?: unknown[]): Promise<{ readonly rows: unknown[] }>;
}

export interface QueryPool extends Queries {
  connect(): Promise<Queries & { release(): void }>;
}

/** What the servers have in ways of their own. */
export interface Dialect {
  /** A column that is one of the values bound as a list. */
  among(column: string, parameter?: string): string;
  sleep(seconds: number): string;
  /** New Year of 2026 and `$1` days. */
  readonly newYearAnd: string;
  /** What is 1 the sixth time, and an error before. */
  readonly failsFiveTimes: string;
  /** A query of one value that fails. */
  readonly failing: string;
}

/** What is to be found, and what is to be said of it. */
export interface Truth {
  readonly kind: FindingKind;
  /** `db.query.summary`; undefined for requests sent. */
  readonly summary?: string;
  readonly order?: "sequential" | "parallel" | "mixed";
  /** The query that feeds the loop; null where there is none. */
  readonly source?: string | null;
  readonly isEstimate?: boolean;
}
export const loop = (summary: string, more: Partial<Truth> = {}): Truth => ({ kind: "n_plus_one", summary, ...more });
export const ORDERS = { source: "SELECT orders", isEstimate: false } as const;

/** A library of the app's: what is in between its caller and the driver, as an ORM has it. */
export const LIBRARY = `
  export class Builder {
    constructor(pool, text, values) { Object.assign(this, { pool, text, values }); }
    where(values) { return new Builder(this.pool, this.text, values); }
    async run() { await null; const { rows } = await this.pool.query(this.text, this.values); return rows; }
    then(done, failed) { return this.run().then(done, failed); }
  }
  export async function find(pool, text, values) {
    await Promise.resolve();
    return await inner(() => pool.query(text, values));
  }
  async function inner(run) { const { rows } = await run(); return rows; }
`;

export interface Library {
  readonly Builder: new (pool: Queries, text: string) => { where(values: unknown[]): PromiseLike<Row[]> };
  find(pool: Queries, text: string, values: unknown[]): Promise<Row[]>;
}

/** Loads what is asked for in one turn with one query. */
function createLoader(load: (ids: number[]) => Promise<Row[]>): (id: number) => Promise<Row | undefined> {
  let waiting: number[] = [];
  let loading: Promise<Row[]> | undefined;
  return async (id) => {
    waiting.push(id);
    loading ??= new Promise<void>((resolve) => process.nextTick(resolve)).then(() => {
      const ids = waiting;
      waiting = [];
      loading = undefined;
      return load(ids);
    });
    return (await loading).find((row) => row["id"] === id);
  };
}

/** A workload for a number of keys. What has no truth is none. */
export type Work = readonly [work: (keys: number) => Promise<unknown>, ...truths: Truth[]];

export const numbers = (count: number, from = 1): number[] => Array.from({ length: count }, (_, n) => n + from);

export async function each<Item>(items: Iterable<Item>, run: (item: Item) => unknown): Promise<void> {
  for (const item of items) await run(item);
}

export async function paused(times: number, run: () => Promise<unknown>): Promise<void> {
  for (let n = 0; n < times; n++) {
    await run();
    await pause(15);
  }
}

/** How rows come from a pool that is there when they are asked for. */
export function createReader(pool: () => Queries) {
  const rows = async (text: string, values?: unknown[]): Promise<Row[]> =>
    (await pool().query({ text, ...(values !== undefined && { values }) })).rows as Row[];
  return {
    rows,
    orders: (count: number): Promise<Row[]> => rows("SELECT * FROM orders ORDER BY id LIMIT $1", [count]),
    itemsOf: (id: unknown): Promise<Row[]> => rows("SELECT * FROM items WHERE order_id = $1", [id]),
    productOf: (id: unknown): Promise<Row[]> => rows("SELECT name FROM products WHERE id = $1", [id]),
    userOf: (id: unknown): Promise<Row[]> => rows("SELECT name FROM users WHERE id = $1", [id]),
  };
}

/** What requests ask of a database, by name. */
export function createWorks(
  poolNow: () => QueryPool,
  libraryNow: () => Library,
  dialect: Dialect,
): Readonly<Record<string, Work>> {
  const { rows, orders, itemsOf, productOf, userOf } = createReader(poolNow);
  return {
    children: [
      async (keys) => {
        for (const { id } of await orders(keys)) {
          await rows("SELECT * FROM items WHERE order_id = $1", [id]);
        }
      },
      loop("SELECT items", { order: "sequential", ...ORDERS }),
    ],
    children_parallel: [
      async (keys) => Promise.all((await orders(keys)).map(({ id }) => itemsOf(id))),
      loop("SELECT items", { order: "parallel", ...ORDERS }),
    ],
    children_in_groups: [
      async (keys) => {
        const all = await orders(keys);
        for (let n = 0; n < all.length; n += 2) await Promise.all(all.slice(n, n + 2).map(({ id }) => itemsOf(id)));
      },
      loop("SELECT items", ORDERS),
    ],
    direct: [
      (keys) => each(numbers(keys), (id) => poolNow().query("SELECT name FROM users WHERE id = $1", [id])),
      loop("SELECT users", { order: "sequential", source: null }),
    ],
    direct_parallel: [
      (keys) => Promise.all(numbers(keys).map((id) => poolNow().query("SELECT name FROM users WHERE id = $1", [id]))),
      loop("SELECT users", { order: "parallel", source: null }),
    ],
    literals: [
      (keys) => each(numbers(keys), (id) => rows(`SELECT name FROM users WHERE id = ${id}`)),
      loop("SELECT users", { order: "sequential" }),
    ],
    long_literals: [
      (keys) => each(numbers(keys), (id) => rows(`SELECT ${"name, ".repeat(60)} id FROM users WHERE id = ${id}`)),
      loop("SELECT users"),
    ],
    prepared: [
      (keys) =>
        each(numbers(keys), (id) =>
          poolNow().query({ name: "user", text: "SELECT name FROM users WHERE id = $1", values: [id] }),
        ),
      loop("SELECT users"),
    ],
    in_of_one: [
      (keys) => each(numbers(keys), (id) => rows("SELECT name FROM users WHERE id IN ($1)", [id])),
      loop("SELECT users"),
    ],
    any_of_one: [
      (keys) => each(numbers(keys), (id) => rows(`SELECT name FROM users WHERE ${dialect.among("id")}`, [[id]])),
      loop("SELECT users"),
    ],
    nested: [
      async (keys) => {
        for (const { id } of await orders(keys)) {
          for (const { product_id } of await itemsOf(id)) await productOf(product_id);
        }
      },
      loop("SELECT items", { order: "sequential", ...ORDERS }),
      loop("SELECT products", { order: "sequential", source: "SELECT items", isEstimate: false }),
    ],
    three_levels: [
      async (keys) => {
        const users = await rows("SELECT id FROM users ORDER BY id LIMIT $1", [keys]);
        for (const user of users) {
          for (const { id } of await rows("SELECT id FROM orders WHERE user_id = $1", [user["id"]])) {
            for (const { product_id } of await itemsOf(id)) await productOf(product_id);
          }
        }
      },
      loop("SELECT orders", { source: "SELECT users", isEstimate: false }),
      loop("SELECT items", { isEstimate: true }),
      loop("SELECT products", { source: "SELECT items", isEstimate: false }),
    ],
    resolvers: [
      async (keys) => {
        const resolveItem = async (item: Row) => ({ product: await productOf(item["product_id"]) });
        const resolveOrder = async ({ id, user_id }: Row) =>
          Promise.all([itemsOf(id).then((items) => Promise.all(items.map(resolveItem))), userOf(user_id)]);
        await Promise.all((await orders(keys)).map(resolveOrder));
      },
      loop("SELECT items", { order: "parallel", ...ORDERS }),
      loop("SELECT users", { order: "parallel", ...ORDERS }),
      loop("SELECT products", { order: "parallel", source: "SELECT items", isEstimate: false }),
    ],
    asked_before: [
      async (keys) => {
        await userOf(200);
        for (const { user_id } of await orders(keys)) await userOf(user_id);
      },
      loop("SELECT users", ORDERS),
    ],
    some_left_out: [
      async (keys) =>
        each(
          (await orders(keys)).filter((_, n) => n % 4 !== 0),
          ({ user_id }) => userOf(user_id),
        ),
      loop("SELECT users", { source: "SELECT orders", isEstimate: true }),
    ],
    top_of_each: [
      (keys) =>
        each(numbers(keys), (id) => rows("SELECT id FROM items WHERE order_id = $1 ORDER BY id DESC LIMIT 3", [id])),
      loop("SELECT items"),
    ],
    as_of: [
      (keys) =>
        each(numbers(keys), (n) =>
          rows(`SELECT id FROM orders WHERE day <= ${dialect.newYearAnd} ORDER BY day DESC LIMIT 1`, [n]),
        ),
      loop("SELECT orders"),
    ],
    sum_of_each_day: [
      (keys) =>
        each(numbers(keys), (n) =>
          rows("SELECT count(*) FROM orders WHERE id >= $1 AND id < $2", [n * 10, n * 10 + 10]),
        ),
      loop("SELECT orders"),
    ],
    locks: [
      async (keys) => {
        const client = await poolNow().connect();
        await client.query("BEGIN");
        await each(numbers(keys), (id) => client.query("SELECT name FROM users WHERE id = $1 FOR UPDATE", [id]));
        await client.query("COMMIT");
        client.release();
      },
      loop("SELECT users"),
    ],
    check_and_write: [
      (keys) =>
        each(numbers(keys), async (id) => {
          await rows("SELECT state FROM jobs WHERE id = $1", [id]);
          await rows("UPDATE jobs SET state = 'seen' WHERE id = $1", [id]);
        }),
      loop("SELECT jobs"),
    ],
    orm: [
      (keys) => each(numbers(keys), (id) => libraryNow().find(poolNow(), "SELECT name FROM users WHERE id = $1", [id])),
      loop("SELECT users"),
    ],
    query_builder: [
      async (keys) => {
        const users = new (libraryNow().Builder)(poolNow(), "SELECT name FROM users WHERE id = $1");
        for (const id of numbers(keys)) {
          await users.where([id]);
        }
      },
      loop("SELECT users"),
    ],
    same: [
      (keys) => each(numbers(keys), () => userOf(7)),
      { kind: "duplicate_query", summary: "SELECT users", order: "sequential" },
    ],
    same_text: [
      (keys) => each(numbers(keys), () => rows("SELECT name FROM users WHERE id = 7")),
      { kind: "duplicate_query", summary: "SELECT users" },
    ],
    same_beside_a_loop: [
      (keys) =>
        each(numbers(keys), async (id) => {
          await userOf(7);
          await itemsOf(id);
        }),
      { kind: "duplicate_query", summary: "SELECT users" },
      loop("SELECT items", { source: null }),
    ],
    // None: pages and ranges of one thing.
    pages: [
      (keys) => each(numbers(keys, 0), (n) => rows("SELECT id FROM items ORDER BY id LIMIT $1 OFFSET $2", [10, n])),
    ],
    pages_as_text: [
      (keys) => each(numbers(keys, 0), (n) => rows(`SELECT id FROM items ORDER BY id LIMIT 10 OFFSET ${n * 10}`)),
    ],
    after_the_last: [
      (keys) =>
        each(numbers(keys, 0), (n) =>
          rows("SELECT id FROM items WHERE id > $1 AND product_id <> $2 ORDER BY id LIMIT 20", [n * 20, 0]),
        ),
    ],
    after_the_last_as_text: [
      (keys) => each(numbers(keys, 0), (n) => rows(`SELECT id FROM items WHERE id > ${n * 20} ORDER BY id LIMIT 20`)),
    ],
    after_the_last_pair: [
      (keys) =>
        each(numbers(keys, 0), (n) =>
          rows("SELECT id FROM items WHERE (order_id, id) > ($1, $2) ORDER BY order_id, id LIMIT 20", [n, n * 4]),
        ),
    ],
    chunks: [
      (keys) =>
        each(numbers(keys, 0), (n) => rows("SELECT * FROM items WHERE id BETWEEN $1 AND $2", [n * 20, n * 20 + 19])),
    ],
    // None: many keys at once.
    in_lists: [
      (keys) => each(numbers(keys), (n) => rows(`SELECT name FROM users WHERE id IN (${numbers(n + 1).join(", ")})`)),
    ],
    in_parameters: [
      (keys) => each(numbers(keys), (n) => rows("SELECT name FROM users WHERE id IN ($1, $2, $3)", [n, n + 1, n + 2])),
    ],
    any: [
      (keys) => each(numbers(keys), (n) => rows(`SELECT name FROM users WHERE ${dialect.among("id")}`, [[n, n + 1]])),
    ],
    loader: [
      async (keys) => {
        const load = createLoader((ids) => rows(`SELECT id, name FROM users WHERE ${dialect.among("id")}`, [ids]));
        for (let round = 0; round < 7; round++) {
          await Promise.all(numbers(keys, round).map((id) => load(id + 1)));
        }
      },
    ],
    loader_of_levels: [
      async (keys) => {
        const load = createLoader((ids) => rows(`SELECT id, user_id FROM orders WHERE ${dialect.among("id")}`, [ids]));
        const loadUser = createLoader((ids) => rows(`SELECT id, name FROM users WHERE ${dialect.among("id")}`, [ids]));
        await Promise.all(numbers(keys).map(async (id) => loadUser((await load(id))?.["user_id"] ?? 0)));
      },
    ],
    join: [() => rows("SELECT * FROM orders JOIN items ON items.order_id = orders.id WHERE orders.id < 30")],
    // None: tries, looks and waits.
    retries: [
      async (keys) => {
        for (let n = 0; n < keys; n++) {
          const text = `SELECT id FROM users WHERE id = $1 AND ${dialect.failsFiveTimes} = 1`;
          const isDone = await rows(text, [1]).then(
            () => true,
            () => false,
          );
          if (isDone) return;
        }
      },
    ],
    retried_transaction: [
      async (keys) => {
        const client = await poolNow().connect();
        for (let n = 0; n < keys; n++) {
          await client.query("BEGIN");
          await client.query("SELECT name FROM users WHERE id = $1", [1]);
          await client.query(dialect.failing, [0]).catch(() => {});
          await client.query("ROLLBACK");
        }
        client.release();
      },
    ],
    health: [(keys) => each(numbers(keys), () => rows("SELECT 1"))],
    health_of_connections: [(keys) => Promise.all(numbers(keys).map(() => rows(`SELECT 1, ${dialect.sleep(0.03)}`)))],
    polls: [() => paused(8, () => rows(`SELECT state, ${dialect.sleep(0.005)} FROM jobs WHERE id = $1`, [1]))],
    queue: [
      (keys) =>
        each(numbers(keys), async () => {
          const text = "SELECT id FROM jobs WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED";
          const [job] = await rows(text);
          await rows("UPDATE jobs SET state = 'done' WHERE id = $1", [job?.["id"]]);
        }),
    ],
    migration: [
      async (keys) => {
        await rows("CREATE TABLE IF NOT EXISTS migrations (name text)");
        await each(numbers(keys), (n) => rows("SELECT 1 FROM migrations WHERE name = $1", [`m${n}`]));
      },
    ],
    catalog: [
      (keys) =>
        each(numbers(keys), (n) => rows("SELECT * FROM information_schema.tables WHERE table_name = $1", [`t${n}`])),
    ],
    writes: [(keys) => each(numbers(keys), (n) => rows("INSERT INTO jobs (state) VALUES ($1)", [`s${n}`]))],
    four: [() => each(numbers(4), (id) => userOf(id))],
    four_of_four: [() => each(numbers(16), (n) => userOf((n % 4) + 1))],
    // What is known to go wrong.
    any_of_a_list: [
      (keys) =>
        each(numbers(keys), (id) =>
          rows(`SELECT state FROM jobs WHERE id = $1 AND ${dialect.among("state", "$2")}`, [id, ["new", "done"]]),
        ),
      loop("SELECT jobs"),
    ],
    small_chunks: [
      (keys) =>
        each(numbers(keys, 0), (n) => rows("SELECT * FROM items WHERE id BETWEEN $1 AND $2", [n * 4, n * 4 + 3])),
    ],
  };
}
