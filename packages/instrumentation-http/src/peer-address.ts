import { Socket } from "node:net";

const addresses = new WeakMap<Socket, string>();

/**
 * `socket.remoteAddress`, asked once per connection, without a trace. Node keeps the answer in a property of the socket, which would give the
 * sockets of the app's server another shape than they have alone: with ours and the drivers' that is one more than V8 tells apart in
 * Node's own stream code (a cached read: 4,000 of 249,000 instructions).
 */
export function peerAddressOf(socket: { readonly remoteAddress?: string | undefined }): string | undefined {
  if (!(socket instanceof Socket)) return socket.remoteAddress;
  const known = addresses.get(socket);
  if (known !== undefined) return known;
  const { remoteAddress } = standInFor(socket);
  if (remoteAddress !== undefined) addresses.set(socket, remoteAddress);
  return remoteAddress;
}

/** What has the handle to ask, and takes the property; of those names on 22 to 26. */
function standInFor(socket: Socket): Socket {
  const { _handle: handle } = socket as { _handle?: { getpeername?: unknown } | null };
  if (handle?.getpeername === undefined || Object.hasOwn(socket, "_peername")) return socket;
  return Object.create(Socket.prototype, {
    _handle: { value: handle },
    _peername: { value: undefined, writable: true },
  }) as Socket;
}
