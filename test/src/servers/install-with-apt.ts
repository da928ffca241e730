import { execFile } from "node:child_process";

/**
 * One installer at a time, whoever asks: the lock is the kernel's, so a killed holder frees it, and whoever waited
 * looks again. policy-rc.d (101 = "action forbidden") keeps the package from starting its service, on systemd too;
 * the service is disabled as well, for it would come up at the next boot.
 */
const INSTALL = `
mkdir -p /run/lock
exec 9>/run/lock/telltale-apt.lock
flock 9
dpkg -s "$1" >/dev/null 2>&1 && exit 0
echo "installing $1 with apt …" >&3
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\\nexit 101\\n' >$policy && chmod +x $policy
fi
export DEBIAN_FRONTEND=noninteractive
install() { apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$1" 9>&-; }
apt-get update -q 9>&- && install "$1" || exit 1
systemctl disable "$2" >/dev/null 2>&1
exit 0`;

/** Installs one Debian package, after one line that says so; no service of it is left running. */
export function installWithApt(packageName: string, service = packageName): Promise<void> {
  return new Promise((resolve, reject) => {
    const said = process.stderr;
    const shell = execFile(
      "sh",
      ["-c", `exec 3>&2 2>&1; ${INSTALL}`, "sh", packageName, service],
      { maxBuffer: 1 << 24 },
      (error, stdout) => {
        if (error === null) resolve();
        else {
          const why = stdout.trim().split("\n").slice(-4).join("\n");
          reject(new Error(`apt could not install ${packageName}:\n${why}`));
        }
      },
    );
    shell.stderr?.on("data", (line: string) => said.write(line));
  });
}
