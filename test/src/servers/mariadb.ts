import { execFile } from "node:child_process";
import { rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { findServer } from "./find-server.js";
import { freePort } from "./free-port.js";
import { findOwner, type ServerOwner } from "./server-owner.js";
import { startReady, supervise } from "./supervise.js";

export interface MariadbServer {
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

export interface MariadbOptions {
  /** Settings as in my.cnf. */
  settings?: Record<string, string | number>;
}

const USER = "telltale";
const PASSWORD = "telltale";
const DATABASE = "telltale";
const CREATE = [
  `CREATE DATABASE ${DATABASE}`,
  `CREATE USER ${USER} IDENTIFIED BY '${PASSWORD}'`,
  `GRANT ALL ON *.* TO ${USER} WITH GRANT OPTION`,
];

/** Those of files, which the server must be started with as they were made. */
const FILES = ["--innodb-log-file-size=4M", "--innodb-data-file-path=ibdata1:1M:autoextend", "--innodb-page-size=16K"];

const SETTINGS: Record<string, string | number> = {
  "bind-address": "127.0.0.1",
  socket: "mariadb.sock",
  "pid-file": "mariadb.pid",
  "max-connections": 200,
  "skip-name-resolve": "ON",
  // The data lives as long as the server.
  "innodb-flush-log-at-trx-commit": 0,
  "innodb-doublewrite": "OFF",
  "innodb-buffer-pool-size": "16M",
  "innodb-temp-data-file-path": "ibtmp1:1M:autoextend",
};

/** Its temporary tables are in its folder too: one that starts removes whatever is called so in a shared one. */
const COPY_AND_RUN = `cp -R "$1" data && printf '%s;\\n' "$2" >create.sql && shift 2 &&
exec "$@" --datadir="$PWD/data" --tmpdir="$PWD" --init-file="$PWD/create.sql"`;

/** Starts a MariaDB of its own, empty, for a user who may do everything, in about a second. */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const program = await findServer("mariadb");
  const place = await findOwner();
  const template = await prepareTemplate(program, place);
  const { server, details: port } = await startReady("mariadb", /ready for connections/, async () => {
    const port = await freePort();
    const settings = Object.entries({ ...SETTINGS, ...options.settings, port });
    const flags = settings.map(([name, value]) => `--${name}=${value}`);
    const shell = ["sh", "-c", COPY_AND_RUN, "sh", template, CREATE.join(";\n")];
    const command = [...shell, program, "--no-defaults", ...FILES, ...flags];
    return { server: await supervise("mariadb", command, place), details: port };
  });
  return {
    host: "127.0.0.1",
    port,
    user: USER,
    password: PASSWORD,
    database: DATABASE,
    url: `mysql://${USER}:${PASSWORD}@127.0.0.1:${port}/${DATABASE}`,
    pid: server.pid,
    log: server.log,
    stop: server.stop,
  };
}

const INSTALL = `PATH="$PATH:$1:$1/../bin" && shift && exec mariadb-install-db --no-defaults --datadir="$PWD/data" --tmpdir="$PWD" "$@"`;

/** To make the system's tables takes seconds and makes the same folder every time: it is done once per version and user, then copied. */
async function prepareTemplate(program: string, { owner, temp }: ServerOwner): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ["--no-defaults", "--version"]);
  const version = /Ver ([\d.]+)/.exec(stdout)?.[1] ?? "unknown";
  const uid = owner?.uid ?? process.getuid?.() ?? 0;
  const template = join(temp, `telltale-mariadb-${version}-${uid}`);
  const there = await stat(template).catch(() => undefined);
  if (there?.uid === uid) return template;
  const flags = ["--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-autoextend-increment=1"];
  const command = ["sh", "-c", INSTALL, "sh", dirname(program), ...flags, ...FILES];
  const done = await supervise("mariadb", command, { owner, temp });
  const data = join(done.folder, "data");
  try {
    await done.gone;
    // Made with the last step.
    await stat(join(data, "mysql", "proxies_priv.frm")).catch(async () => {
      throw new Error(`mariadb-install-db failed:\n${await done.log()}`);
    });
    await rename(data, template).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await done.stop();
  }
  return template;
}
