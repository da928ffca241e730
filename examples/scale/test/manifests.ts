import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse, parseAllDocuments } from "yaml";

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: { readonly httpGet: { readonly port: string } };
  readonly livenessProbe?: { readonly httpGet: { readonly port: string } };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: {
    readonly replicas?: number;
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly ports?: readonly { readonly name: string; readonly port: number; readonly targetPort: string }[];
    readonly serviceName?: string;
    readonly template?: {
      readonly metadata: {
        readonly labels: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
      };
      readonly spec: {
        readonly serviceAccountName?: string;
        readonly securityContext?: Readonly<Record<string, unknown>>;
        readonly initContainers?: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes?: readonly Volume[];
      };
    };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

export const FOLDER = fileURLToPath(new URL("../kubernetes/", import.meta.url));

export function readYaml(name: string): unknown {
  return parse(readFileSync(join(FOLDER, name), "utf8"));
}

/** The resources of kustomization.yaml, in its order. */
export function readManifests(resources: readonly string[]): Manifest[] {
  return resources.flatMap((name) =>
    parseAllDocuments(readFileSync(join(FOLDER, name), "utf8")).map((document) => document.toJS() as Manifest),
  );
}

export function listFiles(): string[] {
  return readdirSync(FOLDER, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? entry.name : []));
}

/**
 * Checks manifests against the types that are made of Kubernetes' own OpenAPI description: a field that is not known, one that is
 * missing or one of the wrong type is an error, as at `kubectl apply` with strict validation. Returns what the compiler says.
 */
export async function checkTypes(manifests: readonly Manifest[]): Promise<string> {
  const require = createRequire(import.meta.url);
  const folder = await mkdtemp(join(tmpdir(), "telltale-manifests-"));
  try {
    await mkdir(join(folder, "node_modules"));
    await symlink(
      dirname(require.resolve("kubernetes-types/package.json")),
      join(folder, "node_modules/kubernetes-types"),
    );
    const lines = manifests.map(({ apiVersion, kind, ...rest }, index) => {
      const group = apiVersion.includes("/") ? apiVersion.replace(/\..*\//, "/") : `core/${apiVersion}`;
      const literal = JSON.stringify({ apiVersion, kind, ...rest }, undefined, 2);
      return `import type { ${kind} as K${index} } from "kubernetes-types/${group}";\nexport const m${index}: K${index} = ${literal};\n`;
    });
    await writeFile(join(folder, "manifests.ts"), lines.join("\n"));
    const tsc = join(dirname(require.resolve("typescript/package.json")), "bin/tsc");
    const flags = [
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--pretty",
      "false",
      "--module",
      "esnext",
      "--moduleResolution",
      "bundler",
      "--types",
      "",
    ];
    return await promisify(execFile)(process.execPath, [tsc, ...flags, "manifests.ts"], { cwd: folder }).then(
      ({ stdout }) => stdout,
      ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
