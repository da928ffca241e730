/** The JSON Schema of a tool's input: a flat object. */
export interface InputSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, InputProperty>>;
  readonly required?: readonly string[];
  readonly additionalProperties: false;
}

export type InputProperty = { readonly description: string } & (
  | {
      readonly type: "string";
      readonly minLength?: number;
      readonly maxLength?: number;
      readonly enum?: readonly string[];
    }
  | {
      readonly type: "integer" | "number";
      readonly minimum: number;
      readonly maximum: number;
      readonly default?: number;
    }
  | { readonly type: "boolean"; readonly default?: boolean }
);

/** What a call brought, checked: absent ones have their default, or are absent. */
export type Input = Readonly<Record<string, string | number | boolean | undefined>>;

const MAX_TEXT = 500;

export function inputSchema(
  properties: Readonly<Record<string, InputProperty>>,
  required: readonly string[] = [],
): InputSchema {
  return {
    type: "object",
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

/** What is wrong with it, for whoever called; the input itself where nothing is. */
export function readInput(schema: InputSchema, given: Readonly<Record<string, unknown>>): Input | string {
  const known = Object.keys(schema.properties);
  const stray = Object.keys(given).find((name) => !known.includes(name));
  if (stray !== undefined) return `There is no argument "${stray.slice(0, 60)}": there are ${known.join(", ")}.`;
  const input: Record<string, string | number | boolean | undefined> = {};
  for (const [name, property] of Object.entries(schema.properties)) {
    const value = given[name] ?? undefined;
    if (value === undefined) {
      if (schema.required?.includes(name)) return `The argument "${name}" is missing: ${property.description}`;
      input[name] = "default" in property ? property.default : undefined;
      continue;
    }
    const wrong = findWrong(property, value);
    if (wrong !== undefined) return `The argument "${name}" ${wrong}.`;
    input[name] = value as string | number | boolean;
  }
  return input;
}

function findWrong(property: InputProperty, value: unknown): string | undefined {
  if (property.type === "string") {
    if (typeof value !== "string") return "is a string";
    if (property.enum !== undefined) {
      return property.enum.includes(value) ? undefined : `is one of ${property.enum.join(", ")}`;
    }
    const { minLength = 0, maxLength = MAX_TEXT } = property;
    return value.length < minLength || value.length > maxLength
      ? `has ${minLength} to ${maxLength} characters, not ${value.length}`
      : undefined;
  }
  if (property.type === "boolean") return typeof value === "boolean" ? undefined : "is true or false";
  const { minimum, maximum, type } = property;
  const isRight = typeof value === "number" && value >= minimum && value <= maximum;
  if (!isRight || (type === "integer" && !Number.isInteger(value))) {
    return `is ${type === "integer" ? "a whole number" : "a number"} from ${minimum} to ${maximum}`;
  }
  return undefined;
}
