import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE_BYTES = 8;
const MAX_COLORS = 256;

/**
 * A screenshot in a third of its bytes: with a palette of the 256 colours that it has most of, the others as the next of them. Reads
 * what browsers write (8 bits, RGB or RGBA, not interlaced). https://www.w3.org/TR/png-3/
 */
export function compressPng(png: Buffer): Buffer {
  const width = png.readUInt32BE(16);
  const height = png.readUInt32BE(20);
  const colors = readPixels(png, width, height);
  const counts = new Map<number, number>();
  for (const color of colors) counts.set(color, (counts.get(color) ?? 0) + 1);
  const palette = [...counts.keys()].sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0)).slice(0, MAX_COLORS);
  const places = new Map([...counts.keys()].map((color) => [color, nearest(palette, color)]));
  // A byte for each pixel, and one before each line that says that it is as it stands.
  const lines = Buffer.alloc((width + 1) * height);
  for (const [at, color] of colors.entries()) lines[at + Math.floor(at / width) + 1] = places.get(color) ?? 0;
  const header = Buffer.from(png.subarray(16, 29));
  header[9] = 3;
  return Buffer.concat([
    png.subarray(0, SIGNATURE_BYTES),
    chunk("IHDR", header),
    chunk("PLTE", Buffer.from(palette.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255]))),
    chunk("IDAT", deflateSync(lines, { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** As 0xRRGGBB. */
function readPixels(png: Buffer, width: number, height: number): Uint32Array {
  const channels = png[25] === 6 ? 4 : 3;
  const data: Buffer[] = [];
  for (let at = SIGNATURE_BYTES; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString("latin1", at + 4, at + 8) === "IDAT")
      data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const bytes = inflateSync(Buffer.concat(data));
  const stride = width * channels;
  const colors = new Uint32Array(width * height);
  let above: Uint8Array = new Uint8Array(stride);
  for (let row = 0; row < height; row++) {
    const start = row * (stride + 1);
    const line = bytes.subarray(start + 1, start + 1 + stride);
    unfilter(bytes[start] ?? 0, line, above, channels);
    for (let x = 0; x < width; x++)
      colors[row * width + x] = Buffer.from(line.buffer, line.byteOffset).readUIntBE(x * channels, 3);
    above = line;
  }
  return colors;
}

/** https://www.w3.org/TR/png-3/#9Filters, in place. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, channels: number): void {
  for (let at = 0; at < line.length; at++) {
    const left = line[at - channels] ?? 0;
    const up = above[at] ?? 0;
    const corner = above[at - channels] ?? 0;
    const guess =
      filter === 1
        ? left
        : filter === 2
          ? up
          : filter === 3
            ? (left + up) >> 1
            : filter === 4
              ? paeth(left, up, corner)
              : 0;
    line[at] = (line[at] ?? 0) + guess;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [toLeft, toUp, toCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

function nearest(palette: readonly number[], color: number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const [place, other] of palette.entries()) {
    const red = (other >> 16) - (color >> 16);
    const green = ((other >> 8) & 255) - ((color >> 8) & 255);
    const blue = (other & 255) - (color & 255);
    const distance = red * red + green * green + blue * blue;
    if (distance < least) [best, least] = [place, distance];
  }
  return best;
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, sum]);
}
