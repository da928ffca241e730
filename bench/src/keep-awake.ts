/**
 * Linux lets the idle class give way within a session only, and weighs sessions by a niceness of their own: without it, a loop in a
 * session of its own takes half of a busy core.
 */
const LOOP = `
[ -w /proc/self/autogroup ] && echo 19 > /proc/self/autogroup
while kill -0 "$1" 2>/dev/null; do i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; done`;

/**
 * A command that keeps a core busy with nothing for as long as a process is there, and gives way to everything. A core that a virtual
 * machine has put to sleep is costly to wake, and a slow server leaves the other core idle more often: without this, some of that is charged
 * to whoever is slow.
 */
export function keepAwake(core: number, parent: number): string[] {
  return ["chrt", "-i", "0", "taskset", "-c", String(core), "sh", "-c", LOOP, "sh", String(parent)];
}
