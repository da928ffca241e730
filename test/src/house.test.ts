import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "@telltale/core";
import { describe, expect, test } from "vitest";

interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
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

// turbo.json lets every package's tests use what the root installs; what a package ships uses only what it declares.
const shipped = manifests.filter(({ path }) => path.startsWith("packages"));
test.each(shipped)("$manifest.name imports only what it declares", ({ path, manifest }) => {
  // Telltale brings along, in its bundle, what it is made of; test/src/installation.test.ts sees to the rest.
  const bundled = manifest.name === "telltale" ? manifest.devDependencies : {};
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
    ...bundled,
  };
  const source = join(dirname(path), "src");
  const stray = new Set<string>();
  for (const file of readdirSync(join(root, source), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    for (const name of importedPackages(readFileSync(join(root, source, file), "utf8"))) {
      if (!(name in declared) && name !== manifest.name) stray.add(`${file}: ${name}`);
    }
  }
  expect([...stray]).toEqual([]);
});

test("importedPackages sees what is loaded and leaves out types", () => {
  const text = `
    import type { Pool } from "types-only";
    import { a,
      b } from "one/part";
    export { c } from "@two/c/d";
    import "three";
    const four = await import("four");
    const five = require("five");
    import { six } from "./six.js";
    import { readFile } from "node:fs";`;
  expect(importedPackages(text)).toEqual(["one", "@two/c", "three", "four", "five"]);
});

function importedPackages(text: string): string[] {
  const code = text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, "").replaceAll(/\b(im|ex)port type [^;]*;/g, "");
  const names = code.matchAll(/(?:\bfrom |\bimport |\bimport\(|\brequire\()"([^"]+)"/g);
  return [...names]
    .map(([, name = ""]) => name)
    .filter((name) => !name.startsWith(".") && !name.startsWith("node:"))
    .map((name) => (name.startsWith("@") ? name.split("/", 2).join("/") : name.split("/", 1).join("")));
}
