import { createServer } from "node:net";
import { readNumber } from "../src/config.js";

/** The port that the environment asks for, which must be free; else `usual` or, where that is taken, any free one. */
export async function choosePort(variable, usual) {
  const asked = readNumber(process.env, variable, undefined, 0, 65_535);
  if (asked === undefined) return (await tryPort(usual)) ?? tryPort(0);
  const port = await tryPort(asked);
  if (port === undefined) throw new Error(`port ${asked} is in use: choose another with ${variable}`);
  return port;
}

function tryPort(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(undefined));
    probe.listen(port, "127.0.0.1", () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
}
