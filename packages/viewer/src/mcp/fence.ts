import { randomBytes } from "node:crypto";

/**
 * Sets what was recorded apart from what the tool says. Whoever wrote the text cannot know the mark, and so cannot end it.
 */
export function fence(lines: readonly string[]): string {
  const mark = `telemetry-${randomBytes(6).toString("hex")}`;
  return `<${mark}>\n${lines.join("\n")}\n</${mark}>`;
}
