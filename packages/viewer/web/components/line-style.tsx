const COLOURS = 8;
/** In CSS pixels, as a canvas and an SVG understand them: lines stay apart without colour. */
const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [9, 3, 2, 3], [16, 4], [5, 2, 5, 6]];

export function lineClass(index: number): string {
  return `line-${(index % COLOURS) + 1}`;
}

export function lineDash(index: number): readonly number[] {
  return DASHES[index % DASHES.length] ?? [];
}

/** A piece of the line, for a legend. The colour that it computes to is the one the chart draws with. */
export function LineSample({ index }: { readonly index: number }) {
  return (
    <svg class={`line-sample ${lineClass(index)}`} width="28" height="10" aria-hidden="true">
      <line
        x1="1"
        x2="27"
        y1="5"
        y2="5"
        stroke="currentColor"
        stroke-width="2"
        stroke-dasharray={lineDash(index).join(" ")}
      />
    </svg>
  );
}
