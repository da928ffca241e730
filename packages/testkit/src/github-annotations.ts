import { isAbsolute, relative, sep } from "node:path";
import type { Finding } from "@telltale/core";

/**
 * A finding as a workflow command, which GitHub shows beside the line of code.
 * https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
 */
export function toAnnotation({ kind, title, advice, callSite }: Finding, root: string): string {
  const properties: Record<string, string | number | undefined> = {
    file: callSite && fromRoot(callSite.file, root),
    line: callSite?.line,
    col: callSite?.column,
    title: `Telltale: ${kind}`,
  };
  const written = Object.entries(properties)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${escapeProperty(String(value))}`);
  return `::error ${written.join(",")}::${escapeMessage(`${title}\n${advice}`)}`;
}

/** Paths are those of the repository, with slashes. */
function fromRoot(file: string, root: string): string {
  const path = isAbsolute(file) ? relative(root, file) : file;
  return path.startsWith("..") ? file : path.split(sep).join("/");
}

function escapeMessage(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeMessage(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
