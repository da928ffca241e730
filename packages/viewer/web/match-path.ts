/** The parts of `path` that stand where `pattern` has `:names`, decoded; undefined where it does not match. */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const parts = (path.length > 1 ? path.replace(/\/$/, "") : path).split("/");
  if (wanted.length !== parts.length) return undefined;
  const found: Record<string, string> = {};
  for (const [index, want] of wanted.entries()) {
    const part = parts[index] ?? "";
    if (!want.startsWith(":")) {
      if (want !== part) return undefined;
    } else {
      try {
        found[want.slice(1)] = decodeURIComponent(part);
      } catch {
        return undefined;
      }
    }
  }
  return found;
}
