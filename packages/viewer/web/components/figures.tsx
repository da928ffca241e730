import type { ComponentChildren } from "preact";

/** Numbers with their names, side by side. */
export function Figures({ children }: { readonly children: ComponentChildren }) {
  return <dl class="figures">{children}</dl>;
}

export function Figure({
  name,
  isBad = false,
  children,
}: {
  readonly name: string;
  /** Marked with a sign, and a colour. */
  readonly isBad?: boolean;
  readonly children: ComponentChildren;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={isBad ? "warn" : ""}>
        {isBad && <span aria-hidden="true">▲ </span>}
        {children}
      </dd>
    </div>
  );
}
