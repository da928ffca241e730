import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "@telltale/core";
import { describe, expect, test } from "vitest";

interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8"));
const { packages } = read("package-lock.json") as {
  packages: Record<string, { version?: string; link?: boolean }>;
};
const installed = Object.entries(packages).filter(([path]) => path.includes("node_modules/"));
const manifests = Object.keys(packages)
  .filter((path) => !path.includes("node_modules/"))
  .map((path) => ({ path: join(path, "package.json"), manifest: read(join(path, "package.json")) as Manifest }));

test("one version of each @opentelemetry package is installed", () => {
  const versions = new Map<string, Set<string>>();
  for (const [path, { version }] of installed) {
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    if (!name.startsWith("@opentelemetry/") || version === undefined) continue;
    versions.set(name, (versions.get(name) ?? new Set()).add(version));
  }
  expect(versions.size).toBeGreaterThan(5);
  const twice = [...versions].filter(([, found]) => found.size > 1);
  expect(twice).toEqual([]);
});

describe.each(manifests)("$path", ({ path, manifest }) => {
  test("has the version all packages share", () => {
    expect(manifest.version).toBe(VERSION);
  });

  test("pins every dependency exactly", () => {
    const wanted = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    const loose = Object.entries(wanted).filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version));
    expect(loose, path).toEqual([]);
  });
});
