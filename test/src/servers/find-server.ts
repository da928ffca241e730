import { existsSync, readFileSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { findPostgres } from "./postgres-binaries.js";
import { installWithApt } from "./install-with-apt.js";

/** `redis` may be the one REDIS_URL names; `redis-server` is always a program we start ourselves. */
export type ServerName =
  | "postgres"
  | "mariadb"
  | "redis"
  | "redis-server"
  | "memcached"
  | "prometheus"
  | "alertmanager"
  | "chromium";

interface Package {
  programs: readonly string[];
  debian: string;
  fedora: string;
  alpine: string;
  brew: string;
  /** Of the Debian package, where it is called otherwise. */
  service?: string;
}

const MARIADB: Package = {
  programs: ["mariadbd"],
  debian: "mariadb-server",
  fedora: "mariadb-server",
  alpine: "mariadb",
  brew: "mariadb",
  service: "mariadb",
};
const REDIS: Package = {
  programs: ["redis-server", "valkey-server"],
  debian: "redis-server",
  fedora: "valkey",
  alpine: "redis",
  brew: "redis",
};
const MEMCACHED: Package = {
  programs: ["memcached"],
  debian: "memcached",
  fedora: "memcached",
  alpine: "memcached",
  brew: "memcached",
};
const PROMETHEUS: Package = {
  programs: ["prometheus"],
  debian: "prometheus",
  fedora: "prometheus",
  alpine: "prometheus",
  brew: "prometheus",
};
const ALERTMANAGER: Package = {
  programs: ["alertmanager", "prometheus-alertmanager"],
  debian: "prometheus-alertmanager",
  fedora: "golang-github-prometheus-alertmanager",
  alpine: "alertmanager",
  brew: "alertmanager",
};
/** A browser, for the viewer's pages; no server, and found as they are. */
const CHROMIUM: Package = {
  programs: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  debian: "chromium",
  fedora: "chromium",
  alpine: "chromium",
  brew: "--cask chromium",
};

const PROGRAMS: Readonly<Record<Exclude<ServerName, "postgres">, Package>> = {
  mariadb: MARIADB,
  redis: REDIS,
  "redis-server": REDIS,
  memcached: MEMCACHED,
  prometheus: PROMETHEUS,
  alertmanager: ALERTMANAGER,
  chromium: CHROMIUM,
};

/**
 * The path of a server's program (`redis`: REDIS_URL where it is set). Looks on PATH; on Debian and Ubuntu, as root,
 * installs what is missing. Fails with the one command that gets it.
 */
export async function findServer(name: ServerName): Promise<string> {
  if (name === "postgres") return (await findPostgres()).postgres;
  const url = process.env["REDIS_URL"];
  if (name === "redis" && url !== undefined && url !== "") return url;
  return findProgram(PROGRAMS[name]);
}

export async function serverAvailable(name: ServerName): Promise<boolean> {
  return (await whyUnavailable(name)) === undefined;
}

/** What is missing and how to get it; undefined when the server is there. */
export async function whyUnavailable(name: ServerName): Promise<string | undefined> {
  try {
    await findServer(name);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function findProgram(wanted: Package): Promise<string> {
  const found = await onPath(wanted.programs);
  if (found !== undefined) return found;
  if ((await onPath(["apt-get"])) !== undefined && process.getuid?.() === 0) {
    await installWithApt(wanted.debian, wanted.service);
    const installed = await onPath(wanted.programs);
    if (installed !== undefined) return installed;
  }
  throw new Error(`${wanted.programs.join(" or ")} not found; install it with: ${installCommand(wanted)}`);
}

async function onPath(programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    // Where Debian puts servers, which is not on everybody's path.
    for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"]) {
      if (folder === "") continue;
      const path = join(folder, program);
      const runs = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (runs) return path;
    }
  }
  return undefined;
}

function installCommand({ debian, fedora, alpine, brew }: Package): string {
  if (process.platform === "darwin") return `brew install ${brew}`;
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  if (/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release)) return `sudo apt-get install ${debian}`;
  if (/^ID(_LIKE)?=.*(fedora|rhel)/m.test(release)) return `sudo dnf install ${fedora}`;
  if (/^ID=alpine/m.test(release)) return `apk add ${alpine}`;
  return (
    `sudo apt-get install ${debian} (Debian, Ubuntu), sudo dnf install ${fedora} (Fedora), ` +
    `apk add ${alpine} (Alpine), brew install ${brew} (macOS)`
  );
}
