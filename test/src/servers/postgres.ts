import { rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { findPostgres } from "./postgres-binaries.js";
import type { PostgresBinaries } from "./postgres-binaries.js";
import { freePort } from "./free-port.js";
import { startReady, supervise } from "./supervise.js";

export interface PostgresServer {
  readonly host: "127.0.0.1";
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly url: string;
  readonly pid: number;
  /** The server's own log. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** Settings as in postgresql.conf. */
  settings?: Record<string, string | number>;
}

const USER = "postgres";
const PASSWORD = "telltale";
const DATABASE = "postgres";

const SETTINGS: Record<string, string | number> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: 200,
  // The data lives as long as the server.
  fsync: "off",
  full_page_writes: "off",
  synchronous_commit: "off",
  // In the data folder, so that nothing stays in /dev/shm.
  dynamic_shared_memory_type: "mmap",
};

const COPY_AND_RUN = `cp -R "$1" data && shift && exec "$@" -D "$PWD/data"`;
const INITDB = `printf %s "$1" >password && shift && exec "$@" -D data --auth=scram-sha-256 --pwfile=password`;

/** Starts a PostgreSQL of its own, empty, for a superuser with a password, in well under a second. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = await findPostgres();
  const template = await prepareTemplate(binaries);
  const { owner, temp, postgres } = binaries;
  const { server, details: port } = await startReady(
    "postgres",
    /database system is ready to accept connections/,
    async () => {
      const port = await freePort();
      const settings = Object.entries({ ...SETTINGS, ...options.settings, port });
      const flags = settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
      const command = ["sh", "-c", COPY_AND_RUN, "sh", template, postgres, ...flags];
      return { server: await supervise("postgres", command, { owner, temp, signal: "QUIT" }), details: port };
    },
  );
  return {
    host: "127.0.0.1",
    port,
    user: USER,
    password: PASSWORD,
    database: DATABASE,
    url: `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${DATABASE}`,
    pid: server.pid,
    log: server.log,
    stop: server.stop,
  };
}

/** initdb takes a second and makes the same folder every time: it runs once per version and user, then is copied. */
async function prepareTemplate({ version, initdb, owner, temp }: PostgresBinaries): Promise<string> {
  const uid = owner?.uid ?? process.getuid?.() ?? 0;
  const template = join(temp, `telltale-postgres-${version}-${uid}`);
  const there = await stat(template).catch(() => undefined);
  if (there?.uid === uid) return template;
  const flags = ["--no-sync", "--encoding=UTF8", "--locale=C", "--wal-segsize=1", `--username=${USER}`];
  const command = ["sh", "-c", INITDB, "sh", PASSWORD, initdb, ...flags];
  const done = await supervise("postgres", command, { owner, temp });
  const data = join(done.folder, "data");
  try {
    await done.gone;
    await stat(join(data, "PG_VERSION")).catch(async () => {
      throw new Error(`initdb failed:\n${await done.log()}`);
    });
    await rename(data, template).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await done.stop();
  }
  return template;
}
