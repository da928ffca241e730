import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { GROUPS } from "./micro/groups.js";
import { measureMicro } from "./micro/micro.js";
import { formatTable } from "./table.js";

// `npm run bench:micro -- [group …]`. What V8 learns in one group would slow down the next, so each has a process.
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in GROUPS));
const [only] = wanted;
const groups = Object.keys(GROUPS).join(", ");
if (wanted.includes("--help")) {
  console.log(`npm run bench:micro -- [group …]\n\nOf these groups, or all: ${groups}.`);
} else if (unknown.length > 0) {
  console.error(`no micro-benchmarks are called ${unknown.join(", ")}; there are ${groups}`);
  process.exitCode = 2;
} else if (only !== undefined && wanted.length === 1) await measureGroup(only);
else {
  for (const name of wanted.length > 0 ? wanted : Object.keys(GROUPS)) {
    execFileSync(process.execPath, ["--expose-gc", fileURLToPath(import.meta.url), name], { stdio: "inherit" });
  }
}

async function measureGroup(group: string): Promise<void> {
  const rows: string[][] = [];
  for (const micro of (await GROUPS[group]?.()) ?? []) {
    const { name, ns, bytes } = await measureMicro(micro);
    rows.push([name, ns.median.toFixed(0), `${ns.min.toFixed(0)}–${ns.max.toFixed(0)}`, bytes.toFixed(0)]);
  }
  console.log(`\n${formatTable([group, "ns", "min–max", "bytes"], rows).join("\n")}`);
}
