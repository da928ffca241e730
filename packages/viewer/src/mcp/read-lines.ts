const NEWLINE = 10;

/** The lines of the input, without their ends; undefined stands for one of more than `maxBytes`, which is not kept. */
export async function* readLines(
  input: AsyncIterable<Buffer | string>,
  maxBytes: number,
): AsyncGenerator<string | undefined> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    let rest = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    for (;;) {
      const end = rest.indexOf(NEWLINE);
      const part = end === -1 ? rest : rest.subarray(0, end);
      size += part.length;
      if (size <= maxBytes) parts.push(part);
      else parts = [];
      if (end === -1) break;
      yield size > maxBytes ? undefined : Buffer.concat(parts).toString();
      parts = [];
      size = 0;
      rest = rest.subarray(end + 1);
    }
  }
  if (size > 0) yield size > maxBytes ? undefined : Buffer.concat(parts).toString();
}
