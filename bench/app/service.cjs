"use strict";
const { Redis } = require("ioredis");
const { Pool } = require("pg");

const redis = new Redis(process.env.BENCH_REDIS_URL);
const pool = new Pool({ connectionString: process.env.BENCH_POSTGRES_URL, max: Number(process.env.BENCH_POOL_SIZE) });

// The "floor" variant times every call; to all others these are the drivers' own functions.
const timed = globalThis.benchFloor ?? ((call) => call);
const get = timed((key) => redis.get(key));
const set = timed((key, value) => redis.set(key, value, "EX", 60));
const mget = timed((keys) => redis.mget(keys));
const query = timed((text, values) => pool.query(text, values));

const ITEM = "SELECT id, name, price, stock, updated_at FROM items WHERE id = $1";
const PRICE = "SELECT id, price FROM items WHERE id = $1";
const STOCK = "SELECT id, stock FROM items WHERE id = $1";
const NAME = "SELECT id, name FROM items WHERE id = $1";
const NEXT = "SELECT id, name, price FROM items WHERE id > $1 ORDER BY id LIMIT 3";
const POPULAR = ["item:1", "item:2", "item:3", "item:4", "item:5"];

/** A read through the cache. */
async function readItem(id) {
  const key = `item:${id}`;
  const cached = await get(key);
  if (cached !== null) return { from: "cache", item: JSON.parse(cached) };
  const { rows } = await query(ITEM, [id]);
  await set(key, JSON.stringify(rows[0]));
  return { from: "database", item: rows[0] };
}

/** Five queries, one after the other, and one MGET. */
async function readMany(id) {
  const item = await query(ITEM, [id]);
  const price = await query(PRICE, [id]);
  const stock = await query(STOCK, [id]);
  const name = await query(NAME, [id]);
  const next = await query(NEXT, [id]);
  const popular = await mget(POPULAR);
  return {
    item: item.rows[0],
    price: price.rows[0],
    stock: stock.rows[0],
    name: name.rows[0],
    next: next.rows,
    popular: popular.filter((text) => text !== null).length,
  };
}

module.exports = { readItem, readMany };
