import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { findServer } from "../servers/index.js";

/** A real Chromium with a fresh profile, from which nothing gets off the machine. */
export interface TestBrowser {
  /** A page of its own context: no cookies, no storage, nothing of the pages before. */
  open(origin: string, look?: Look): Promise<WatchedPage>;
  /** What anything in the browser asked of other machines, pages or not; but for what it asks of its maker by itself. */
  readonly offMachine: readonly string[];
  close(): Promise<void>;
}

export interface Look {
  /** Default 1280. */
  readonly width?: number;
  /** Default 800. */
  readonly height?: number;
  /** What the system prefers. Default light. */
  readonly scheme?: "light" | "dark";
  /** Device pixels per CSS pixel. Default 1. */
  readonly scale?: number;
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors and warnings on the console, exceptions, CSP violations, dialogs, requests beyond the origin; since the last `forget`. */
  readonly problems: readonly string[];
  forget(): void;
  close(): Promise<void>;
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** What hostile markup calls where it is run (see hostile-text.ts), and what a page may not load: both end on the console. */
const WATCH = `
globalThis.hostileRan = (where) => console.error("hostile script ran: " + where);
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) =>
  console.error("CSP violation: " + violatedDirective + " " + blockedURI + " " + sourceFile + ":" + lineNumber));
`;

/** Updates of its own, and what to fill into forms: flags do not keep it from all of that. None of it gets further than to the proxy. */
const BROWSERS_OWN = /^(https?:\/\/)?([\w-]+\.)*(google|googleapis|gstatic|gvt1)\.com[:/]/;

/** Starts the browser; whatever in it wants to reach another machine reaches a proxy of ours, which refuses and remembers. */
export async function startBrowser(): Promise<TestBrowser> {
  const offMachine: string[] = [];
  const note = (target = ""): void => {
    if (!BROWSERS_OWN.test(target)) offMachine.push(target);
  };
  const proxy = createServer((request, response) => {
    note(request.url);
    response.writeHead(403).end();
  });
  proxy.on("connect", (request, socket) => {
    note(request.url);
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, "127.0.0.1", resolve);
  });
  const { port } = proxy.address() as AddressInfo;
  // Loopback is not asked of a proxy.
  const browser = await chromium.launch({
    executablePath: await findServer("chromium"),
    args: [...FLAGS, `--proxy-server=http://127.0.0.1:${port}`],
    chromiumSandbox: false,
  });
  return {
    offMachine,
    async open(origin, { width = 1280, height = 800, scheme = "light", scale = 1 } = {}) {
      const context = await browser.newContext({
        viewport: { width, height },
        colorScheme: scheme,
        deviceScaleFactor: scale,
        reducedMotion: "reduce",
        locale: "en-GB",
        timezoneId: "UTC",
      });
      context.setDefaultTimeout(10_000);
      await context.addInitScript(WATCH);
      const problems = watch(context, origin);
      const page = await context.newPage();
      return {
        page,
        problems,
        forget() {
          problems.length = 0;
        },
        close: () => context.close(),
      };
    },
    async close() {
      await browser.close();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}

function watch(context: BrowserContext, origin: string): string[] {
  const problems: string[] = [];
  context.on("console", (message) => {
    const type = message.type();
    if (type === "error" || type === "warning") problems.push(`${type}: ${message.text()} (${message.location().url})`);
  });
  context.on("weberror", (error) => problems.push(`exception: ${error.error().stack ?? error.error().message}`));
  context.on("dialog", (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`)) problems.push(`request off the origin: ${url.slice(0, 200)}`);
  });
  context.on("page", (page) => {
    page.on("crash", () => problems.push(`crash: ${page.url()}`));
    page.on("popup", (opened) => problems.push(`popup: ${opened.url()}`));
    page.on("download", (download) => problems.push(`download: ${download.url().slice(0, 200)}`));
  });
  return problems;
}
