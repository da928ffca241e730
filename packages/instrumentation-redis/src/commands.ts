import { type KeyEffect, keyEffectOf } from "./key-use.js";
import { type LookupKind, lookupKindOf } from "./lookup.js";

/** What is known of a Redis command by its name. */
export interface CommandFacts {
  /** `db.operation.name`: `HGETALL`. */
  readonly name: string;
  /**
   * As the server's own flags say, with these decisions: commands that only wait (BLPOP, XREAD BLOCK, SUBSCRIBE) are control,
   * because their duration is no work of the server; GETEX is a read, for it fetches; scripts may write, so they do.
   */
  readonly effect: "read" | "write" | "control";
  /** Where the first key stands in the arguments; -1 where there is none or nobody knows. */
  readonly keyAt: number;
  /** Where the number of keys stands, for commands that may have none; else -1. */
  readonly keyCountAt: number;
  readonly lookup: LookupKind | undefined;
  /** What it does to its keys where it is no lookup. */
  readonly keyEffect: KeyEffect;
  /** Opens, runs or drops a transaction. */
  readonly transaction: "multi" | "exec" | "discard" | undefined;
  /** The same command when it is asked to wait: XREAD and XREADGROUP with BLOCK. */
  readonly blocking: CommandFacts | undefined;
}

/** An argument as it goes over the wire. */
export type Argument = string | Buffer;

// prettier-ignore
const TABLE: readonly (readonly [effect: CommandFacts["effect"], keyAt: number, keyCountAt: number, names: string])[] = [
  ["read", 0, -1, `bitcount bitfield_ro bitpos dump exists expiretime geodist geohash geopos georadius_ro georadiusbymember_ro
    geosearch get getbit getex getrange hexists hget hgetall hkeys hlen hmget hrandfield hscan hstrlen hvals lcs lindex llen lpos
    lrange mget pexpiretime pfcount pttl scard sdiff sinter sismember smembers smismember sort_ro srandmember sscan strlen substr
    sunion touch ttl type xlen xpending xrange xrevrange zcard zcount zlexcount zmscore zrandmember zrange zrangebylex
    zrangebyscore zrank zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore bf.exists cf.exists json.get json.mget
    json.objkeys json.type ts.get ts.range`],
  ["read", 1, -1, "memory object xinfo"],
  ["read", 1, 0, "sintercard zdiff zinter zintercard zunion"],
  ["read", 2, 1, "eval_ro evalsha_ro fcall_ro"],
  ["read", -1, -1, "dbsize ft.aggregate ft.search keys lolwut randomkey scan xread"],
  ["write", 0, -1, `append bitfield copy decr decrby del expire expireat geoadd georadius georadiusbymember geosearchstore getdel
    getset hdel hexpire hincrby hincrbyfloat hmset hset hsetnx incr incrby incrbyfloat linsert lmove lpop lpush lpushx lrem lset
    ltrim move mset msetnx persist pexpire pexpireat pfadd pfmerge psetex rename renamenx restore rpop rpoplpush rpush rpushx sadd
    sdiffstore set setbit setex setnx setrange sinterstore smove sort spop srem sunionstore unlink xack xadd xautoclaim xclaim
    xdel xsetid xtrim zadd zdiffstore zincrby zinterstore zpopmax zpopmin zrangestore zrem zremrangebylex zremrangebyrank
    zremrangebyscore zunionstore bf.add cf.add json.del json.set ts.add`],
  ["write", 1, -1, "bitop xgroup"],
  ["write", 1, 0, "lmpop zmpop"],
  ["write", 2, 1, "eval evalsha fcall"],
  ["write", -1, -1, "flushall flushdb migrate pfdebug publish restore-asking spublish swapdb xreadgroup"],
  ["control", -1, -1, `acl asking auth bgrewriteaof bgsave client cluster command config debug discard echo exec failover function
    hello info lastsave latency module monitor multi pfselftest ping psubscribe psync pubsub punsubscribe quit readonly readwrite
    replconf replicaof reset role save script select sentinel shutdown slaveof slowlog ssubscribe subscribe sunsubscribe sync time
    unsubscribe unwatch wait waitaof watch blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin`],
];

const TRANSACTION = new Map<string, CommandFacts["transaction"]>([
  ["multi", "multi"],
  ["exec", "exec"],
  ["discard", "discard"],
  ["reset", "discard"],
  ["quit", "discard"],
]);

const facts = new Map<string, CommandFacts>();
for (const [effect, keyAt, keyCountAt, names] of TABLE) {
  for (const name of names.split(/\s+/)) facts.set(name, describe(name, effect, keyAt, keyCountAt));
}

function describe(name: string, effect: CommandFacts["effect"], keyAt: number, keyCountAt: number): CommandFacts {
  const mayBlock = effect !== "control" && (name === "xread" || name === "xreadgroup");
  return {
    name: name.toUpperCase(),
    effect,
    keyAt,
    keyCountAt,
    lookup: lookupKindOf(name),
    keyEffect: keyEffectOf(name),
    transaction: TRANSACTION.get(name),
    blocking: mayBlock ? describe(name, "control", keyAt, keyCountAt) : undefined,
  };
}

/**
 * What is known of a command, by its name in any case. Of one that is in no table nothing is supposed: it may write, and none of
 * its arguments is taken for a key.
 */
export function factsOf(name: string): CommandFacts {
  const lower = name.toLowerCase();
  return facts.get(lower) ?? describe(lower, "write", -1, -1);
}

/** True for names that the table knows: the others come from the app and are not bounded. */
export function isKnown(name: string): boolean {
  return facts.has(name.toLowerCase());
}

/** The first key of a call, as it was sent (`keyPrefix` included). */
export function firstKey(command: CommandFacts, args: readonly Argument[]): string | undefined {
  const { keyAt, keyCountAt } = command;
  if (keyAt < 0) return undefined;
  if (keyCountAt >= 0 && !(Number(textOf(args[keyCountAt])) > 0)) return undefined;
  return textOf(args[keyAt]);
}

/** Whatever else an argument is, ioredis has failed to make a text of it: that is the app's code, and not to be run again. */
function textOf(argument: unknown): string | undefined {
  if (typeof argument === "string") return argument;
  return argument instanceof Uint8Array ? argument.toString() : undefined;
}

/** Whether XREAD or XREADGROUP waits: BLOCK stands among the options, before STREAMS. */
export function isBlocking(args: readonly Argument[]): boolean {
  for (const argument of args) {
    const word = textOf(argument)?.toUpperCase();
    if (word === "BLOCK") return true;
    if (word === "STREAMS") return false;
  }
  return false;
}
