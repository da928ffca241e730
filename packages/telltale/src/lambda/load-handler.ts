import { pathToFileURL } from "node:url";
import { locateHandler } from "./handler-file.js";
import { wrapHandler } from "./wrap-handler.js";

type Handler = (...args: never[]) => unknown;

/**
 * The handler that `TELLTALE_LAMBDA_HANDLER` names, wrapped.
 *
 * @throws Error where there is none.
 */
export async function loadHandler(): Promise<Handler> {
  const { TELLTALE_LAMBDA_HANDLER: name, LAMBDA_TASK_ROOT: root = process.cwd() } = process.env;
  if (name === undefined) throw new Error("TELLTALE_LAMBDA_HANDLER names no handler, as index.handler would be");
  const { file, path } = locateHandler(name, root);
  if (file === undefined) throw new Error(`TELLTALE_LAMBDA_HANDLER is ${name}: there is no such file in ${root}`);
  const loaded = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
  const handler = read(loaded, path) ?? read(loaded.default, path);
  if (typeof handler !== "function")
    throw new Error(`TELLTALE_LAMBDA_HANDLER is ${name}: ${file} exports no such function`);
  return wrapHandler(handler as Handler);
}

function read(from: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], from);
}
