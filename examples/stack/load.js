import { driveLoad } from "./demo/load.js";

// Visits the shop as its demo does, a minute at a time, until it is stopped. Lies beside the shop in the image.

const { SHOP_URL: url = "http://127.0.0.1:3000" } = process.env;
const stop = new AbortController();
for (const name of ["SIGTERM", "SIGINT"]) process.on(name, () => stop.abort());

while (!stop.signal.aborted) {
  try {
    const { sent, unanswered } = await driveLoad({ url, seconds: 60, signal: stop.signal, onProgress: () => {} });
    console.log(`${sent} requests in a minute, ${unanswered} of them not answered`);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}
