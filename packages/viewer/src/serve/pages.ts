import { readdirSync, readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants, gzipSync } from "node:zlib";

interface Page {
  readonly type: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
  /** Its name holds a digest of it: it never changes. */
  readonly isHashed: boolean;
}

/** By path, as it is asked for: `/index.html`, `/assets/…`. */
export type Pages = ReadonlyMap<string, Page>;

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

const QUICKLY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

/** The pages' folder: beside this file where it is bundled or compiled, in `dist` for those who run the sources. */
export function findPages(): string | undefined {
  const require = createRequire(import.meta.url);
  for (const path of ["./web/index.html", "../web/index.html", "../../dist/web/index.html"]) {
    try {
      return dirname(require.resolve(path));
    } catch {
      // The next one.
    }
  }
  return undefined;
}

/** All files of the folder, compressed, as some of them are already: under 400 KB, so they stay in memory, and no request leads to a path on the disk. */
export function readPages(folder: string): Pages {
  const pages = new Map<string, Page>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const isCompressed = entry.name.endsWith(".br");
    const type = TYPES[extname(isCompressed ? entry.name.slice(0, -3) : entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = readFileSync(file);
    const plain = isCompressed ? brotliDecompressSync(bytes) : bytes;
    const path = file.slice(folder.length, isCompressed ? -3 : undefined).replaceAll("\\", "/");
    pages.set(path, {
      type,
      plain,
      br: isCompressed ? bytes : brotliCompressSync(plain, QUICKLY),
      gzip: gzipSync(plain),
      isHashed: path.startsWith("/assets/"),
    });
  }
  return pages;
}

/** Answers with a file, or with the one page for all that looks like a page of it: links into it are to work. False where there is none. */
export function answerPage(pages: Pages, path: string, request: IncomingMessage, response: ServerResponse): boolean {
  const page = pages.get(path) ?? (isFile(path) ? undefined : pages.get("/index.html"));
  if (page === undefined) return false;
  const encoding = choose(request.headers["accept-encoding"]);
  const bytes = page[encoding];
  if (encoding !== "plain") response.setHeader("content-encoding", encoding);
  response.writeHead(200, {
    "content-type": page.type,
    "content-length": bytes.length,
    "cache-control": page.isHashed ? "public, max-age=31536000, immutable" : "no-cache",
    vary: "accept-encoding",
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
  return true;
}

/** At the top, and among the assets; elsewhere names have dots as well: `/metrics/http.server.request.duration`. */
function isFile(path: string): boolean {
  return path.startsWith("/assets/") || (extname(path) !== "" && path.lastIndexOf("/") === 0);
}

function choose(accepted: string | string[] | undefined): "br" | "gzip" | "plain" {
  const names = new Set(
    String(accepted ?? "")
      .split(",")
      .map((part) => part.replaceAll(" ", ""))
      .map((part) => (/;q=0(\.0+)?$/.test(part) ? "" : part.split(";", 1)[0])),
  );
  return names.has("br") ? "br" : names.has("gzip") ? "gzip" : "plain";
}
