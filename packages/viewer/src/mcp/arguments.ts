import type { InputProperty } from "./input-schema.js";

// Arguments that several tools take.
export const SERVICE: InputProperty = {
  type: "string",
  description: "Only of the service of this name (service.name); all without it.",
};

export const MINUTES: InputProperty = {
  type: "integer",
  description: "Looks back so many minutes.",
  minimum: 1,
  maximum: 1_440,
  default: 15,
};

export function limitOf(standard: number): InputProperty {
  return { type: "integer", description: "At most so many.", minimum: 1, maximum: 100, default: standard };
}
