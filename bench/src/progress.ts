export interface Progress {
  /** What is being done now; on a terminal each takes the place of the one before. */
  readonly step: (text: string) => void;
  /** Something that stays. */
  readonly line: (text: string) => void;
}

/** Says on stderr what is going on, so that stdout has the results only. */
export function createProgress(): Progress {
  const { isTTY, columns = 80 } = process.stderr;
  let last = "";
  return {
    step(text) {
      if (isTTY) process.stderr.write(`\r\u001B[K${text.slice(0, columns - 1)}`);
      // In a log, a line for every kind of step is enough.
      else if (text !== "" && text.replaceAll(/[\d,]+/g, "") !== last) process.stderr.write(`${text}\n`);
      last = text.replaceAll(/[\d,]+/g, "");
    },
    line(text) {
      process.stderr.write(`${isTTY ? "\r\u001B[K" : ""}${text}\n`);
    },
  };
}
