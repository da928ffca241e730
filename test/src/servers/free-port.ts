import { createServer } from "node:net";

// Below the ports that the system gives to whoever asks for any, so that nobody gets one between this answer and its use; and each
// process begins elsewhere. A node of a Redis cluster also listens on the port 10,000 above: those are nobody's either.
const FIRST = 10_000;
const COUNT = 10_000;
let last = (process.pid % 100) * 100;

/** A loopback port that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    last = (last + 1) % COUNT;
    // Others may ask meanwhile.
    const port = FIRST + last;
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${FIRST + COUNT - 1}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
