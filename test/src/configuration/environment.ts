import { fileURLToPath } from "node:url";

export type Environment = Readonly<Record<string, string>>;

interface Module {
  resolveConfig(code: object, env: Environment, script: undefined, folder: string): Record<string, unknown>;
}

/** What Telltale makes of the environment of a program; throws where Telltale would refuse it. */
export async function resolveEnvironment(environment: Environment): Promise<Record<string, unknown>> {
  // How Telltale reads its configuration is no public interface, so it is found by path.
  const path = fileURLToPath(new URL("../../../packages/telltale/src/config/resolve.ts", import.meta.url));
  const { resolveConfig } = (await import(path)) as Module;
  return resolveConfig({}, environment, undefined, fileURLToPath(new URL("/", import.meta.url)));
}
