import type { Resource, Scope } from "@telltale/otlp";

/** Something that was sent, with what stands around it. */
export interface Entry<T> {
  readonly resource: Resource | undefined;
  readonly scope: Scope | undefined;
  readonly item: T;
}

/** Why something cannot be kept. */
export type Refusal = string | undefined;
