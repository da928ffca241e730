import { expect, test } from "vitest";
import { KnownPools, readPools } from "../src/index.js";

interface Pool {
  used: number | undefined;
}

function know(): KnownPools<Pool> {
  return new KnownPools(({ used }) => (used === undefined ? undefined : { used, idle: 0, pending: 0 }));
}

const used = () => readPools().map(({ pool, reading }) => `${pool.name} ${reading.used}`);

test("a pool is read as long as it lives, and may begin again under its name", () => {
  const pools = know();
  const pool: Pool = { used: 3 };
  expect([pools.get(pool), pools.isOpen(pool)]).toEqual([undefined, false]);
  const reporter = pools.register(pool, { name: "orders", system: undefined });
  expect([pools.get(pool), pools.isOpen(pool), used()]).toEqual([reporter, true, ["orders 3"]]);
  pool.used = undefined;
  expect([used(), pools.isOpen(pool), pools.get(pool)]).toEqual([[], false, reporter]);
  pool.used = 1;
  pools.register(pool, { name: "orders", system: undefined });
  expect([pools.isOpen(pool), used()]).toEqual([true, ["orders 1"]]);
  pools.close();
  expect(used()).toEqual([]);
});

test("of a pool of which more becomes known, only the newest is read", () => {
  const pools = know();
  const pool: Pool = { used: 2 };
  pools.register(pool, { name: "somewhere", system: undefined });
  pools.register(pool, { name: "here", system: "postgresql" });
  expect(used()).toEqual(["here 2"]);
  pools.leave(pool);
  expect([used(), pools.get(pool)]).toEqual([[], undefined]);
});
