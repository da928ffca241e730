import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { FIND_HOSTILE_ELEMENTS } from "./hostile-text.js";
import type { WatchedPage } from "./start-browser.js";

/** A page of the viewer, as somebody would be sent the link to it. */
export interface PageAddress {
  readonly name: string;
  readonly path: string;
}

/** What there is to look at in detail; a page is left out where nothing is named. */
export interface Details {
  readonly trace?: string;
  readonly other?: string;
  readonly fingerprint?: string;
  readonly metric?: string;
  /** Further parameters of all pages' addresses: `minutes=15`. */
  readonly query?: string;
}

/** Every page there is. */
export function allPages({ trace, other, fingerprint, metric, query }: Details): PageAddress[] {
  const page = (name: string, ...parts: readonly (string | undefined)[]): PageAddress[] =>
    parts.includes(undefined)
      ? []
      : [
          {
            name,
            path: `/${parts.map((part) => encodeURIComponent(part ?? "")).join("/")}${query === undefined ? "" : `?${query}`}`,
          },
        ];
  return [
    ...page("now", ""),
    ...page("requests", "requests"),
    ...page("trace", "trace", trace),
    ...page("compare", "trace", trace, "compare", other),
    ...page("queries", "queries"),
    ...page("query", "queries", fingerprint),
    ...page("caches", "caches"),
    ...page("pools", "pools"),
    ...page("findings", "findings"),
    ...page("metrics", "metrics"),
    ...page("metric", "metrics", metric),
  ];
}

/** Opens a page as a link from elsewhere does, and waits until it shows what it asked for. */
export async function visit(watched: WatchedPage, origin: string, path: string): Promise<void> {
  await watched.page.goto(origin + path, { waitUntil: "domcontentloaded" });
  await settle(watched.page);
}

/** There is a heading, and nothing is being read. */
export async function settle(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor();
  await page.locator("main .loading").first().waitFor({ state: "detached" });
  await page.locator("footer.foot > span").first().waitFor();
}

/**
 * What is wrong with how a page lies on the screen, and with what it is made of: it is wider than the window, the navigation or the
 * heading cannot be seen, a table's heads do not stand above its columns, a text was taken for markup. Empty on a good one.
 */
export async function findFaults({ page }: WatchedPage): Promise<string[]> {
  // Charts follow the window a moment later.
  for (let tries = 20; ; tries--) {
    const faults = [
      ...(await page.evaluate<string[]>(FIND_HOSTILE_ELEMENTS)),
      ...(await page.evaluate<string[]>(FIND_FAULTS)),
    ];
    if (faults.length === 0 || tries === 0) return faults;
    await sleep(50);
  }
}

const FIND_FAULTS = `(() => {
  const faults = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  const name = (element) => element.tagName.toLowerCase() + "." + element.className + " " + (element.textContent ?? "").slice(0, 60);
  if (scrollWidth > clientWidth) {
    // The innermost that is too wide for its own text, or sticks out.
    const culprit = [...document.body.querySelectorAll("*")].findLast((element) => {
      const style = getComputedStyle(element);
      const { right } = element.getBoundingClientRect();
      return style.overflowX === "visible" && right + element.scrollWidth - element.offsetWidth > clientWidth + 0.5 && !element.closest("table");
    });
    faults.push("wider than the window: " + scrollWidth + " of " + clientWidth + ", by " + (culprit ? name(culprit) : "?"));
  }
  for (const table of document.querySelectorAll("table")) {
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    const cells = [...(table.tBodies[0]?.rows[0]?.cells ?? [])];
    if (heads.length !== cells.length || heads[0].offsetWidth === 0) continue;
    const astray = heads.find((head, n) => {
      const above = head.getBoundingClientRect();
      const below = cells[n].getBoundingClientRect();
      return Math.abs(above.left - below.left) > 1 || above.bottom > below.top + 1;
    });
    if (astray) faults.push("a head that does not stand above its column: " + name(astray));
  }
  for (const wanted of ["nav", "main", "main h1"]) {
    const box = document.querySelector(wanted)?.getBoundingClientRect();
    if (!box || box.width === 0 || box.height === 0) faults.push("no " + wanted + " to be seen");
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push(document.querySelectorAll("h1").length + " headings of the page");
  if (!document.title) faults.push("no title");
  if (!document.documentElement.lang) faults.push("no language");
  for (const control of document.querySelectorAll("button, input, select, a[href]")) {
    const label = control.getAttribute("aria-label") ?? control.title;
    const text = control.labels?.[0]?.textContent || control.textContent || control.placeholder || label;
    if (!text?.trim()) faults.push("a control without a name: " + control.outerHTML.slice(0, 120));
  }
  return faults;
})()`;
