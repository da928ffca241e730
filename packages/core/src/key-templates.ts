import { codeAt, startsWith } from "./code-at.js";
import { type LabelSet, OVERFLOW_LABEL } from "./labels.js";
import type { DatabaseTemplate } from "./operation.js";

/** One command of a key-value store, as it goes to one server. */
export type KeyCommand = { readonly operationName: string } & Pick<
  DatabaseTemplate,
  "system" | "namespace" | "effect" | "batch" | "serverAddress" | "serverPort" | "library"
>;

const COLON = 58;

/** The templates of such a command: one for each family of keys, so that reads of one family can be told apart. */
export class KeyTemplates {
  readonly keyless: DatabaseTemplate;
  private readonly command: KeyCommand;
  private readonly families: LabelSet;
  /** By cache name, of keys that begin with it: their pattern is shown. */
  private readonly byPrefix = new Map<string, DatabaseTemplate>();
  /** By cache name, of all others: the user's pattern named them. */
  private readonly byName = new Map<string, DatabaseTemplate>();

  /** `families` bounds those of all commands together. */
  constructor(command: KeyCommand, families: LabelSet) {
    this.command = command;
    this.families = families;
    this.keyless = createTemplate(command, command.operationName, command.operationName);
  }

  /** For a call whose first key belongs to a cache. */
  of(key: string, cache: string): DatabaseTemplate {
    const isPrefix = codeAt("" + key, ("" + cache).length) === COLON && startsWith(key, cache);
    const known = isPrefix ? this.byPrefix : this.byName;
    const template = known.get(cache);
    if (template !== undefined) return template;
    if (this.families.bound(cache) !== cache) return this.of("", OVERFLOW_LABEL);
    const { operationName: name } = this.command;
    const created = createTemplate(this.command, `${name} ${isPrefix ? `${cache}:?` : "?"}`, `${name} ${cache}`);
    known.set(cache, created);
    return created;
  }
}

function createTemplate(command: KeyCommand, queryText: string, fingerprint: string): DatabaseTemplate {
  return {
    system: command.system,
    namespace: command.namespace,
    operationName: command.operationName,
    collection: undefined,
    querySummary: command.operationName,
    queryText,
    fingerprint,
    effect: command.effect,
    batch: command.batch,
    serverAddress: command.serverAddress,
    serverPort: command.serverPort,
    poolName: undefined,
    library: command.library,
    slots: [],
  };
}
