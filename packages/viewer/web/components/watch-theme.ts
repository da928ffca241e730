/** Calls back when the page's colours may have changed: by the system, or by its own switch. Returns what ends it. */
export function watchTheme(onChange: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", onChange);
  const page = new MutationObserver(onChange);
  page.observe(document.documentElement, { attributes: true, attributeFilter: ["class", "data-theme", "style"] });
  return () => {
    system.removeEventListener("change", onChange);
    page.disconnect();
  };
}
