import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import type { RefObject } from "preact";

/** How far a box is scrolled, and how large it is, kept up to date. */
export function useBox(box: RefObject<HTMLElement | null>): {
  readonly top: number;
  readonly height: number;
  readonly width: number;
} {
  const [now, setNow] = useState({ top: 0, height: 600, width: 1000 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const look = (): void =>
      setNow((last) => {
        const { scrollTop: top, clientHeight: height, clientWidth: width } = element;
        return last.top === top && last.height === height && last.width === width ? last : { top, height, width };
      });
    look();
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, [box]);
  return now;
}

/** Whether the page is so narrow that names stand above bars. */
export function useNarrow(): boolean {
  const [isNarrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const look = (): void => setNarrow(query.matches);
    look();
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return isNarrow;
}

const NARROW = "(max-width: 700px)";
