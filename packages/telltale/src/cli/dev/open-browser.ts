import { spawn } from "node:child_process";
import { isatty } from "node:tty";

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether somebody sits there who could look: not in CI, behind a pipe, or on a machine without a screen. */
export function canOpen(env: Environment): boolean {
  if (!isatty(2) || env["BROWSER"] === "none" || (env["CI"] ?? "") !== "") return false;
  // Without a screen, some would open a browser for terminals, in this one.
  return process.platform !== "linux" || (env["DISPLAY"] ?? "") !== "" || (env["WAYLAND_DISPLAY"] ?? "") !== "";
}

/** Opens an address of ours in the browser; where that fails, the address has been printed. */
export function openBrowser(url: string): void {
  const [file, ...args] = commandOf(url);
  if (file === undefined) return;
  const opener = spawn(file, args, { stdio: "ignore", detached: true });
  opener.on("error", () => {});
  opener.unref();
}

function commandOf(url: string): string[] {
  if (process.platform === "darwin") return ["open", url];
  if (process.platform === "win32") return ["cmd", "/c", "start", "", url];
  return ["xdg-open", url];
}
