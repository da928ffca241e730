import { readFileSync, statSync } from "node:fs";

const MAX_BYTES = 32 * 1024 * 1024;

/** What a file says; nothing where there is none, where it is a folder or not to be read, or too long. */
export function readText(file: string): string {
  try {
    const found = statSync(file);
    return found.isFile() && found.size <= MAX_BYTES ? readFileSync(file, "utf8") : "";
  } catch {
    return "";
  }
}
