import type { TraceSpan } from "../../../src/api/answers.js";

/** What a span is called on the page: what its query asks, or its route with the name, says more than the name alone. */
export function nameSpan({ name, attributes }: Pick<TraceSpan, "name" | "attributes">): string {
  const { "db.query.summary": summary, "http.route": route } = attributes;
  if (typeof summary === "string" && summary !== "") return summary;
  if (typeof route === "string" && route !== "" && !name.includes(route)) return `${name} ${route}`;
  return name === "" ? "(no name)" : name;
}
