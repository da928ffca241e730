import { useEffect, useState } from "preact/hooks";

export type Theme = "dark" | "light";

const KEY = "telltale.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set<(theme: Theme) => void>();

/** Storage may be forbidden: then the choice lasts as long as the page. */
function readChoice(): Theme | undefined {
  try {
    const choice = localStorage.getItem(KEY);
    return choice === "dark" || choice === "light" ? choice : undefined;
  } catch {
    return undefined;
  }
}

let choice = readChoice();

const currentTheme = (): Theme => choice ?? (system.matches ? "dark" : "light");

/** The system's theme, or the one that was chosen here. */
export function applyTheme(): void {
  if (choice) document.documentElement.dataset["theme"] = choice;
  else delete document.documentElement.dataset["theme"];
  for (const watcher of watchers) watcher(currentTheme());
}

system.addEventListener("change", applyTheme);

export function toggleTheme(): void {
  choice = currentTheme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // As above.
  }
  applyTheme();
}

/** The theme in use; draws again when it changes. */
export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme);
  useEffect(() => {
    watchers.add(setTheme);
    setTheme(currentTheme());
    return () => void watchers.delete(setTheme);
  }, []);
  return theme;
}

/** What a colour of styles/theme.css (`--series-1`) is in the theme in use, as `rgb(…)`: for canvases, which know no custom properties. */
export function readColor(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
