import { emitKeypressEvents, type Key } from "node:readline";
import { type Content, renderScreen, sectionOf } from "./render.js";
import { readSection } from "./read-section.js";
import { SECTIONS } from "./sections.js";

const EVERY_MS = 1_000;
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
/** From the top left on, line by line: clearing all first would flicker. */
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_REST = "\x1b[J";

/** Shows a viewer in this terminal, anew each second, until q or a signal. */
export async function show(url: string, minutes: number): Promise<void> {
  const { stdin, stdout } = process;
  let section = 0;
  let selected = 0;
  let content: Content | undefined;
  let asked = 0;

  const draw = (): void => {
    const [width, height] = [stdout.columns || 80, stdout.rows || 24];
    const lines = renderScreen({ url, minutes, section, selected, content, width, height });
    stdout.write(HOME + lines.map((line) => `${line}${CLEAR_LINE}`).join("\r\n") + CLEAR_REST);
  };
  const ask = async (): Promise<void> => {
    const number = ++asked;
    const found = await readSection(sectionOf(section), url, minutes);
    // Another section may be looked at by now.
    if (number !== asked) return;
    content = found;
    selected = Math.max(0, Math.min(selected, "rows" in found ? found.rows.length - 1 : 0));
    draw();
  };
  const turn = (by: number): void => {
    section = (section + by + SECTIONS.length) % SECTIONS.length;
    selected = 0;
    content = undefined;
    draw();
    void ask();
  };
  const move = (by: number): void => {
    const count = content !== undefined && "rows" in content ? content.rows.length : 0;
    selected = Math.max(0, Math.min(count - 1, selected + by));
    draw();
  };

  const page = (): number => Math.max(1, (stdout.rows || 24) - 12);
  const keys: Readonly<Record<string, () => void>> = {
    tab: () => turn(1),
    right: () => turn(1),
    left: () => turn(-1),
    l: () => turn(1),
    h: () => turn(-1),
    up: () => move(-1),
    down: () => move(1),
    k: () => move(-1),
    j: () => move(1),
    pageup: () => move(-page()),
    pagedown: () => move(page()),
    home: () => move(-Infinity),
    end: () => move(Infinity),
  };

  await new Promise<void>((resolve) => {
    const onKey = (_: unknown, { name = "", ctrl, shift }: Key): void => {
      if (name === "q" || (ctrl === true && (name === "c" || name === "d"))) resolve();
      else if (name === "tab" && shift === true) turn(-1);
      else if (Object.hasOwn(keys, name)) keys[name]?.();
    };
    const restore = (): boolean => stdout.write(LEAVE);
    const end = (): void => resolve();
    process.once("exit", restore);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, end);
    emitKeypressEvents(stdin);
    stdin.setRawMode(true);
    stdin.on("keypress", onKey).on("end", end);
    stdout.on("resize", draw).on("error", end);
    stdout.write(`${ENTER}\x1b[2J`);
    draw();
    void ask();
    setInterval(ask, EVERY_MS);
  });
  process.exit();
}
