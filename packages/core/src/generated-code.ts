import { readFileSync } from "node:fs";
import { limitOf } from "./self.js";

/** Where Prisma's generator `prisma-client-js` puts a copy of its runtime, if it is told to write into a folder of the app's. */
const RUNTIME = /^(.*)[\\/]runtime[\\/](?:client|library|binary)\.m?js$/;
const MAX_FOLDERS = 100;
const unkept = limitOf("call_site.generated");
/** By folder, whether a client was generated there. */
const folders = new Map<string, boolean>();

/** Whether a file that lies among the app's own is a library's all the same. */
export function isGenerated(file: string): boolean {
  const folder = RUNTIME.exec(file)?.[1];
  if (folder === undefined) return false;
  const known = folders.get(folder);
  if (known !== undefined) return known;
  const isClient = hasClient(folder);
  if (folders.size < MAX_FOLDERS) folders.set(folder, isClient);
  else unkept.total += 1;
  return isClient;
}

function hasClient(folder: string): boolean {
  try {
    const { name } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8")) as { name?: unknown };
    return typeof name === "string" && name.startsWith("prisma-client-");
  } catch {
    return false;
  }
}
