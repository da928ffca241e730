import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// The pages, from web/ to dist/web/. Vite is only loaded when something has changed.

const here = fileURLToPath(new URL(".", import.meta.url));
const stamp = join(here, "dist", "web.sha256");

const files = readdirSync(join(here, "web"), { recursive: true, encoding: "utf8" })
  .map((path) => join("web", path))
  .concat("bundle.js", "package.json")
  .filter((path) => statSync(join(here, path)).isFile())
  .sort();
const hash = createHash("sha256");
for (const path of files)
  hash
    .update(`${path}\0`)
    .update(readFileSync(join(here, path)))
    .update("\0");
const now = hash.digest("hex");

if (!existsSync(join(here, "dist/web/index.html")) || !existsSync(stamp) || readFileSync(stamp, "utf8") !== now) {
  const { build } = await import("vite");
  // Should it fail halfway, what is there is of no version.
  rmSync(stamp, { force: true });
  await build({ configFile: join(here, "web/vite.config.ts"), logLevel: "warn" });
  writeFileSync(stamp, now);
}
