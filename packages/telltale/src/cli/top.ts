import { parseArgs } from "node:util";
import { type Command, UsageError } from "./command.js";
import { readViewerUrl } from "./dev/viewer-url.js";
import { readSection } from "./top/read-section.js";
import { renderAll } from "./top/render.js";
import { SECTIONS } from "./top/sections.js";
import { show } from "./top/show.js";

const HELP = `telltale top [--url <url>]    what a running viewer has seen, in this terminal: routes, queries, pools, caches, findings

  --url <url>       of the viewer: http://localhost:4319, localhost:4319 or 4319, which is the default
  --minutes <n>     how far back; default 1
  --once            print all of it once, and end; so it does where stdout is no terminal

Keys: q ends; tab and ← → choose what is shown; ↑ ↓ a row, of which more is told below.
The viewer is one that telltale dev or telltale viewer has started. Exit codes: 0 it was read; 1 no viewer answered; 2 the arguments are wrong.
`;

/** `telltale top`. */
export const top: Command = {
  help: HELP,
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        url: { type: "string" },
        minutes: { type: "string", default: "1" },
        once: { type: "boolean", default: false },
      },
    });
    const minutes = values.minutes.trim() === "" ? Number.NaN : Number(values.minutes);
    if (!(minutes >= 1 && minutes <= 1_440))
      throw new UsageError(`--minutes must be a number from 1 to 1440, got ${JSON.stringify(values.minutes)}`);
    const url = readViewerUrl(values.url);
    const { stdin, stdout } = process;
    if (!values.once && stdin.isTTY && stdout.isTTY) return show(url, minutes);
    const contents = await Promise.all(SECTIONS.map((section) => readSection(section, url, minutes)));
    const problems = contents.flatMap((content) => ("problem" in content ? [content.problem] : []));
    const [first] = problems;
    if (first !== undefined && problems.length === contents.length) {
      process.stderr.write(`telltale: ${first}\n`);
      process.exitCode = 1;
      return;
    }
    stdout.write(renderAll(contents, Math.max(60, stdout.columns ?? 100)));
  },
};
