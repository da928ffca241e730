import { useRef } from "preact/hooks";
import type { Answer } from "./api.js";

/** The answer before stays where it is while that for another time or order is on its way: the page does not jump. */
export function useKept<T>(answer: Answer<T>): Answer<T> {
  const last = useRef<T | undefined>(undefined);
  if (answer.data !== undefined) last.current = answer.data;
  // What was asked for and refused must not look like what is shown.
  if (answer.error?.status === 404) last.current = undefined;
  return { ...answer, data: last.current };
}
