import { once } from "node:events";
import { createServer, connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { peerAddressOf } from "../src/peer-address.js";

/** Both ends of a connection: the server's first. */
async function connected(host: string): Promise<[server: Socket, client: Socket, end: () => Promise<void>]> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port, host);
  const [[socket]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [[Socket], unknown];
  const end = async () => {
    const closed = once(socket, "close");
    client.destroy();
    socket.resume();
    await closed;
    server.close();
  };
  return [socket, client, end];
}

test.each(["127.0.0.1", "::1"])(
  "the peer of a connection at %s, which shows nothing of having been asked",
  async (host) => {
    const [socket, client, end] = await connected(host);
    const keys = Reflect.ownKeys(socket);
    expect(peerAddressOf(socket)).toBe(host);
    expect(peerAddressOf(client)).toBe(host);
    expect(Reflect.ownKeys(socket)).toEqual(keys);
    await end();
    // As when nobody has asked while it was open.
    expect(socket.remoteAddress).toBeUndefined();
    expect(peerAddressOf(socket)).toBe(host);
  },
);

test("what the app has asked itself stays known to it", async () => {
  const [socket, , end] = await connected("127.0.0.1");
  expect(socket.remoteAddress).toBe("127.0.0.1");
  expect(peerAddressOf(socket)).toBe("127.0.0.1");
  await end();
  expect(socket.remoteAddress).toBe("127.0.0.1");
});

test("a connection that is over, and what is no socket", async () => {
  const [socket, , end] = await connected("127.0.0.1");
  await end();
  expect(peerAddressOf(socket)).toBeUndefined();
  expect(peerAddressOf({ remoteAddress: "192.0.2.1" })).toBe("192.0.2.1");
  expect(peerAddressOf({})).toBeUndefined();
});
