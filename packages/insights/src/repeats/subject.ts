import { type DatabaseTemplate, type HttpClientOperation, limitOf, templateSlot, type TakenSite } from "@telltale/core";
import { isKeyValue, summaryOf } from "../findings/describe.js";
import { type Paging, pagingOf } from "./paging.js";
import type { SentUrl } from "./url.js";

/** What may be asked again and again: a query shape in a database, whatever pool or server it is sent to; requests to one route of a server. */
export class Subject {
  /** As findings name it: `SELECT items`, `GET api:8080/users/:id`. */
  readonly name: string;
  /** Undefined for requests sent. */
  readonly template: DatabaseTemplate | undefined;
  /** Whether it can be asked too often; else it can only feed a loop. */
  readonly mayRepeat: boolean;
  /** Whether to ask for the same twice is pointless. */
  readonly mayDouble: boolean;
  readonly paging: Paging | undefined;
  /** Whether its calls may differ in their texts, and not only in the values bound to them. */
  readonly hasLiterals: boolean;
  /** Stands for calls that ask for many keys at once, where that depends on what is bound: they feed loops, and are none. */
  readonly batches: Subject | undefined;
  /** Where the calls of its loops are made, by endpoint, as far as known; see `LoopSites`. */
  loops: Map<string | undefined, TakenSite | undefined> | undefined = undefined;

  constructor(
    name: string,
    template: DatabaseTemplate | undefined,
    mayRepeat: boolean,
    mayDouble: boolean,
    paging: Paging | undefined,
    hasLiterals: boolean,
    batches: Subject | undefined,
  ) {
    this.name = name;
    this.template = template;
    this.mayRepeat = mayRepeat;
    this.mayDouble = mayDouble;
    this.paging = paging;
    this.hasLiterals = hasLiterals;
    this.batches = batches;
  }
}

/** One that can only feed a loop. */
function feeding(name: string, template?: DatabaseTemplate): Subject {
  return new Subject(name, template, false, false, undefined, false, undefined);
}

/** What is no read. */
export const NONE = feeding("");
/** Changes the schema: what else such a request asks is a migration's. */
export const MIGRATION = feeding("");

const MAX_SUBJECTS = 5_000;
const unshared = limitOf("query.shape_keys");

export interface Subjects {
  /** Decided once per template. */
  ofQuery(template: DatabaseTemplate, text: string | undefined): Subject;
  ofCall(operation: HttpClientOperation, url: SentUrl): Subject;
}

export function createSubjects(ignoredFingerprints: ReadonlySet<string>): Subjects {
  const slot = templateSlot();
  const known = new Map<string, Subject>();

  function share(key: string, make: () => Subject): Subject {
    const found = known.get(key);
    if (found !== undefined) return found;
    const subject = make();
    // Beyond the bound a shape sent to two servers counts as two.
    if (known.size < MAX_SUBJECTS) known.set(key, subject);
    else unshared.total += 1;
    return subject;
  }

  function describe(template: DatabaseTemplate, text: string | undefined): Subject {
    const { effect, fingerprint, namespace, operationName = "" } = template;
    if (changesSchema(template)) return MIGRATION;
    if (effect !== "read" || fingerprint === undefined) return NONE;
    return share(`${fingerprint}\n${namespace}`, () => {
      const { system, batch, queryText = "" } = template;
      const mayRepeat =
        batch !== true &&
        !ignoredFingerprints.has(fingerprint) &&
        !READS_ON.has(operationName) &&
        !CATALOG.test(queryText) &&
        !LOCKS.test(queryText);
      const paging = system === "redis" ? RANGES.get(operationName) : pagingOf(queryText, text ?? queryText);
      // What reads no table asks for a sign of life, or the time; a queue hands out another row each time.
      const mayDouble =
        isKeyValue(template) ||
        system === "mongodb" ||
        (/\bfrom\b/i.test(queryText) && !/\bskip locked\b/i.test(queryText));
      const hasLiterals = queryText.includes("?") || queryText.endsWith("…");
      const name = summaryOf(template);
      const batches = batch === "array" ? feeding(name, template) : undefined;
      return new Subject(name, template, mayRepeat, mayDouble, paging, hasLiterals, batches);
    });
  }

  return {
    ofQuery(template, text) {
      const subject = template.slots[slot] as Subject | undefined;
      if (subject !== undefined) return subject;
      return (template.slots[slot] = describe(template, text));
    },
    ofCall({ method, serverAddress, serverPort }, { template }) {
      if (method !== "GET" && method !== "HEAD") return NONE;
      const name = `${method} ${serverAddress}${serverPort === undefined ? "" : `:${serverPort}`}${template}`;
      return share(name, () => new Subject(name, undefined, true, true, PAGES, false, undefined));
    },
  };
}

/** The next part of a cursor. */
const READS_ON = new Set(["FETCH", "SCAN", "HSCAN", "SSCAN", "ZSCAN", "XREAD"]);
/** Each lock is taken on its own; no query takes them for all keys. */
const LOCKS = /\b(?:pg_(?:try_)?advisory_\w+|(?:get|release|is_free|is_used)_lock)\s*\(/i;
const CATALOG = /\b(?:pg_catalog|information_schema)\b/i;
const PAGES: Paging = { parameters: new Set(), isLimited: true, skips: true };
/** Another range of the same key is a page. */
const RANGE: Paging = { ...PAGES, parameters: new Set(Array.from({ length: 20 }, (_, n) => n + 1)) };
const RANGES = new Map(
  ["LRANGE", "ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "XRANGE", "XREVRANGE", "GETRANGE"].map(
    (name) => [name, RANGE] as const,
  ),
);

function changesSchema({ operationName = "", queryText = "" }: DatabaseTemplate): boolean {
  if (operationName !== "CREATE" && operationName !== "ALTER" && operationName !== "DROP") return false;
  return !/^\s*create\s+(?:(?:global|local)\s+)?temp/i.test(queryText);
}
