import { type RedisServer, startRedis } from "@telltale/test/servers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "@telltale/test/describe-with";
import { factsOf, firstKey, isBlocking, isKnown } from "../src/commands.js";
import { drivers, type RedisClient } from "./drivers.js";

function connect(url: string): RedisClient {
  const [, driver] = drivers;
  if (driver === undefined) throw new Error("no driver");
  return new (driver.load())(url);
}

describeWith(["redis-server"], "the table beside the server's own", () => {
  let server: RedisServer;
  let commands: [name: string, arity: number, flags: string[], firstKey: number][];

  beforeAll(async () => {
    server = await startRedis();
    const client = connect(server.url);
    commands = (await client.call("COMMAND")) as typeof commands;
    client.disconnect();
  });
  afterAll(() => server.stop());

  test("every command of the server is known", () => {
    expect(commands.length).toBeGreaterThan(200);
    expect(commands.map(([name]) => name).filter((name) => !isKnown(name))).toEqual([]);
  });

  test("effects follow its flags, but for those decided otherwise", () => {
    const decided: Record<string, string> = {
      getex: "read",
      memory: "read",
      object: "read",
      xinfo: "read",
      eval: "write",
      evalsha: "write",
      fcall: "write",
      publish: "write",
      spublish: "write",
      xgroup: "write",
      // It waits only when it is told to, see below.
      xread: "read",
      xreadgroup: "write",
    };
    const wrong = commands.flatMap(([name, , flags]) => {
      let wanted = "control";
      if (flags.includes("readonly")) wanted = "read";
      else if (flags.includes("write")) wanted = "write";
      if (flags.includes("blocking")) wanted = "control";
      wanted = decided[name] ?? wanted;
      return factsOf(name).effect === wanted ? [] : [`${name}: ${factsOf(name).effect}, expected ${wanted}`];
    });
    expect(wrong).toEqual([]);
  });

  test("first keys stand where the server says", () => {
    const wrong = commands.flatMap(([name, , , position]) => {
      const { keyAt, effect } = factsOf(name);
      // Containers and commands with a count of keys say 0; commands of control are not told apart by key.
      const isTold = position > 0 && effect !== "control" && keyAt >= 0;
      return isTold && keyAt !== position - 1 ? [`${name}: ${keyAt}, expected ${position - 1}`] : [];
    });
    expect(wrong).toEqual([]);
  });
});

describe("first key", () => {
  const cases: [name: string, args: (string | Buffer)[], key: string | undefined][] = [
    ["get", ["user:1"], "user:1"],
    ["GET", [Buffer.from("user:1")], "user:1"],
    ["eval", ["return 1", "0", "secret:1"], undefined],
    ["eval", ["return 1", "1", "user:1", "secret:1"], "user:1"],
    ["evalsha", ["abc", Buffer.from("2"), "user:1", "user:2"], "user:1"],
    ["zunion", ["2", "a:1", "b:1"], "a:1"],
    ["publish", ["news:1", "secret"], undefined],
    ["auth", ["secret"], undefined],
    ["my.command", ["secret:1"], undefined],
    ["ping", [], undefined],
    ["get", [], undefined],
  ];
  test.each(cases)("of %s %j is %j", (name, args, key) => expect(firstKey(factsOf(name), args)).toBe(key));
});

describe("XREAD and XREADGROUP", () => {
  const cases: [args: string[], waits: boolean][] = [
    [["COUNT", "2", "STREAMS", "s", "0"], false],
    [["COUNT", "2", "block", "0", "STREAMS", "s", "$"], true],
    [["STREAMS", "BLOCK", "0"], false],
    [["GROUP", "g", "c", "BLOCK", "100", "STREAMS", "s", ">"], true],
  ];
  test.each(cases)("%j waits: %j", (args, waits) => expect(isBlocking(args)).toBe(waits));
  test("that wait are control", () => expect(factsOf("xread").blocking?.effect).toBe("control"));
});

test("an argument that ioredis could not make a text of is not asked again", () => {
  let asked = 0;
  const own = () => {
    asked++;
    throw new Error("the app's own");
  };
  const hostile = { toString: own, valueOf: own } as never;
  expect(firstKey(factsOf("get"), [hostile])).toBeUndefined();
  expect(firstKey(factsOf("eval"), ["return 1", hostile, "key"])).toBeUndefined();
  expect(isBlocking([hostile, "STREAMS"])).toBe(false);
  expect(asked).toBe(0);
});
