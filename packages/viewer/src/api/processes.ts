import type { Store } from "../store/open-store.js";
import type { ProcessNow } from "./answers.js";
import type { TimeWindow } from "./time-window.js";

export function readProcesses(_store: Store, _window: TimeWindow, _service: string | undefined): ProcessNow[] {
  return [];
}
