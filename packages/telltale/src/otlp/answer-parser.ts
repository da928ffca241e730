/** An answer of HTTP/1.x as far as it has come. */
export interface Answer {
  readonly status: number;
  /** By their names in lower case; several of one name are one, with commas. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Reads the answer to one request, whichever way its bytes are cut. https://www.rfc-editor.org/rfc/rfc9112 */
export interface AnswerParser {
  /** Throws where they are no answer, or one that is too large; what came before counts. */
  feed(bytes: Buffer): void;
  /** Nothing more will come. */
  end(): void;
  /** Undefined until its head is there. */
  answer(): Answer | undefined;
  /** Whether anything has come at all. */
  hasBegun(): boolean;
  isWhole(): boolean;
  /** Whether the connection may carry another one after this; false until it is whole. */
  keepsAlive(): boolean;
}

/** As many as Node's own parser takes. */
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 64 * 1024;
/** With announcements, and with what chunks have around them; both have no end of their own. */
const MAX_BYTES = 256 * 1024;
const LINE_FEED = 10;
const VERSION = "HTTP/1.";
const MAX_QUOTE = 40;

interface Head {
  readonly isOld: boolean;
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** Waits for more bytes at each `yield`. */
type Reading<T> = Generator<undefined, T, undefined>;

export function createAnswerParser(): AnswerParser {
  /** What came and was not read yet. */
  let rest: Buffer = Buffer.alloc(0);
  let hasBegun = false;
  let head: Head | undefined;
  const parts: Buffer[] = [];
  let bodyBytes = 0;
  let allBytes = 0;
  let endsWithConnection = false;
  let isWhole = false;
  let mayKeep = false;
  const reading = readAnswer();

  function* readAnswer(): Reading<boolean> {
    let found: Head;
    // These announce another; to switch to another protocol (101) nobody has asked.
    do found = yield* readHead();
    while (found.status >= 100 && found.status < 200 && found.status !== 101);
    if (found.status < 200) throw new Error(`expected a status from 200 on, got ${found.status}`);
    head = found;
    const { isOld, status, headers } = found;
    const keeps = !isOld && !tokensOf(headers.get("connection")).includes("close");
    if (status === 204 || status === 304) return keeps;
    const coding = tokensOf(headers.get("transfer-encoding")).at(-1);
    const length = headers.get("content-length");
    if (coding === "chunked") {
      yield* readChunks();
      // Who sends both may not mean this one: https://www.rfc-editor.org/rfc/rfc9112#section-6.1-15
      return keeps && length === undefined;
    }
    if (coding === undefined && length !== undefined) {
      if (!/^\d{1,15}$/.test(length)) throw new Error(`expected a length as content-length, got ${quote(length)}`);
      yield* readBody(Number(length));
      return keeps;
    }
    endsWithConnection = true;
    yield* readBody(Infinity);
    return false;
  }

  function* readHead(): Reading<Head> {
    // Another protocol has no lines that could be waited for.
    while (rest.length < VERSION.length) yield;
    const isAnswer = rest.toString("latin1", 0, VERSION.length) === VERSION;
    const line = isAnswer ? yield* readLine(MAX_HEAD_BYTES) : rest.toString("latin1", 0, MAX_QUOTE);
    const [, minor, status] = /^HTTP\/1\.(\d) (\d{3})(?: |$)/.exec(line) ?? [];
    if (minor === undefined) throw new Error(`expected an answer of HTTP/1.1, got ${quote(line)}`);
    return { isOld: minor === "0", status: Number(status), headers: yield* readFields(MAX_HEAD_BYTES - line.length) };
  }

  function* readFields(maxBytes: number): Reading<Map<string, string>> {
    const fields = new Map<string, string>();
    for (let left = maxBytes; ;) {
      const line = yield* readLine(left);
      if (line === "") return fields;
      left -= line.length;
      // Goes on with the field before: nobody needs one that is so long.
      if (/^[ \t]/.test(line)) continue;
      const colon = line.indexOf(":");
      if (colon < 1) throw new Error(`expected a header, got ${quote(line)}`);
      const name = line.slice(0, colon).trim().toLowerCase();
      const value = line.slice(colon + 1).trim();
      const before = fields.get(name);
      fields.set(name, before === undefined ? value : `${before}, ${value}`);
    }
  }

  function* readChunks(): Reading<void> {
    for (;;) {
      const line = yield* readLine(MAX_HEAD_BYTES);
      const [, size] = /^([\da-f]{1,12})[ \t]*(?:;|$)/i.exec(line) ?? [];
      if (size === undefined) throw new Error(`expected the size of a chunk, got ${quote(line)}`);
      const bytes = Number.parseInt(size, 16);
      if (bytes === 0) break;
      yield* readBody(bytes);
      if ((yield* readLine(MAX_HEAD_BYTES)) !== "") throw new Error(`expected a chunk of ${bytes} bytes, got more`);
    }
    yield* readFields(MAX_HEAD_BYTES);
  }

  function* readLine(maxBytes: number): Reading<string> {
    let end = rest.indexOf(LINE_FEED);
    while (end < 0 && rest.length <= maxBytes) {
      const known = rest.length;
      yield;
      end = rest.indexOf(LINE_FEED, known);
    }
    if (end < 0 || end > maxBytes) throw new Error(`expected at most ${MAX_HEAD_BYTES} bytes of headers, got more`);
    const line = rest.toString("latin1", 0, end);
    rest = rest.subarray(end + 1);
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  function* readBody(length: number): Reading<void> {
    for (let left = length; left > 0;) {
      if (rest.length === 0) yield;
      const part = rest.subarray(0, Math.min(left, rest.length));
      rest = rest.subarray(part.length);
      left -= part.length;
      // A few bytes would keep all that was read with them.
      parts.push(Buffer.from(part));
      bodyBytes += part.length;
      if (bodyBytes > MAX_BODY_BYTES)
        throw new Error(`expected an answer of at most ${MAX_BODY_BYTES} bytes, got more`);
    }
  }

  return {
    feed(bytes) {
      if (bytes.length === 0) return;
      hasBegun = true;
      allBytes += bytes.length;
      if (allBytes > MAX_BYTES) throw new Error(`expected an answer of at most ${MAX_BYTES} bytes, got more`);
      if (isWhole) {
        mayKeep = false;
        return;
      }
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const step = reading.next();
      if (step.done !== true) return;
      isWhole = true;
      mayKeep = step.value && rest.length === 0;
    },
    end() {
      if (endsWithConnection) isWhole = true;
    },
    answer: () => head && { status: head.status, headers: head.headers, body: Buffer.concat(parts) },
    hasBegun: () => hasBegun,
    isWhole: () => isWhole,
    keepsAlive: () => mayKeep,
  };
}

function tokensOf(list = ""): string[] {
  return list
    .toLowerCase()
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

/** Of what another has sent: short, and nothing that a terminal obeys. */
function quote(text: string): string {
  return `"${text.slice(0, MAX_QUOTE).replaceAll(/[^ -~]/g, "?")}${text.length > MAX_QUOTE ? "…" : ""}"`;
}
