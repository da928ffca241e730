import { createApp } from "./app.js";
import { createCache } from "./cache.js";
import { readConfig } from "./config.js";
import { createDatabase } from "./db.js";

const config = readConfigOrLeave();
const db = createDatabase(config);
const cache = createCache(config);

const server = createApp({ db, cache }).listen(config.port, config.host, (error) => {
  if (error) {
    console.error(
      error.code === "EADDRINUSE"
        ? `port ${config.port} is in use: choose another with PORT`
        : `cannot listen on ${config.host}:${config.port}: ${error.message}`,
    );
    process.exitCode = 1;
    void closeConnections();
    return;
  }
  console.log(`shop listens on http://${config.host}:${server.address().port}`);
});

let stopping = false;
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    // Requests that run are answered; then nothing holds the process any more.
    server.close(() => void closeConnections());
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), 10_000).unref();
  });
}

async function closeConnections() {
  await Promise.allSettled([db.end(), cache.close()]);
}

function readConfigOrLeave() {
  try {
    return readConfig(process.env);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
