import {
  BEFORE_CLAUSE,
  BEFORE_NAME,
  BEFORE_OBJECT,
  CONTROL,
  END_OF_FROM,
  JOINS,
  MODIFY,
  OBJECTS,
  READ,
} from "./keywords.js";
import type { QueryShape } from "./query-shape.js";
import type { Token } from "./tokenize.js";

export interface Statement {
  /** Operations and targets. */
  words: string[];
  tables: string[];
  operationName: string | undefined;
  effect: QueryShape["effect"];
}

interface Frame {
  /** Holds a query, or is the statement itself: FROM names tables here. */
  isQuery: boolean;
  /** In a FROM list, where a comma leads to another table. */
  inFrom: boolean;
  /** Between WITH and its query: a name followed by AS or ( is no table. */
  inWith: boolean;
}

/** One pass over the tokens of one statement. */
export function summarizeStatement(tokens: readonly Token[], start: number, end: number): Statement {
  let first = start;
  while (tokens[first]?.text === "(") first += 1;
  const verb = wordAt(first) ?? "";
  const statement: Statement = { words: [], tables: [], operationName: undefined, effect: effectOf(verb) };
  const isDryRun = verb === "explain" && !analyzes();
  const ctes = new Set<string>();
  const frames: Frame[] = [{ isQuery: true, inFrom: false, inWith: false }];
  let at = start;

  if (!MODIFY.has(verb) && verb !== "select" && verb !== "with" && verb !== "") utility();
  while (at < end) step();
  return statement;

  function step(): void {
    const frame = frames[frames.length - 1];
    const token = tokens[at];
    if (token === undefined || frame === undefined) {
      at = end;
      return;
    }
    at += 1;
    if (token.text === "(") open(frame);
    else if (token.text === ")") {
      if (frames.length > 1) frames.pop();
    } else if (token.text === ",") {
      if (frame.inWith) cteName();
      else if (frame.inFrom) target(frame);
    } else if (token.kind === "word" && tokens[at - 2]?.text !== ".") keyword(token, frame);
  }

  function open(frame: Frame): void {
    const next = wordAt(at);
    const isQuery =
      next === "select" || next === "with" || next === "values" || (next !== undefined && MODIFY.has(next));
    frames.push({ isQuery: isQuery || (tokens[at]?.text === "(" && frame.isQuery), inFrom: false, inWith: false });
  }

  function keyword(token: Token, frame: Frame): void {
    const key = token.key;
    if (key === "select") {
      operation("SELECT");
      frame.isQuery = true;
      frame.inFrom = frame.inWith = false;
    } else if (key === "with") {
      if (isWithClause()) {
        frame.inWith = true;
        if (wordAt(at) === "recursive") at += 1;
        cteName();
      }
    } else if (MODIFY.has(key) && !BEFORE_CLAUSE.has(tokens[at - 2]?.key ?? "") && tokens[at]?.text !== "(") {
      modify(key, frame);
    } else if (key === "from") {
      const before = tokens[at - 2]?.key;
      if (frame.isQuery && !(before === "distinct" && /^(is|not)$/.test(tokens[at - 3]?.key ?? ""))) target(frame);
    } else if (key === "join" || key === "straight_join") {
      target(frame);
    } else if (key === "using") {
      if (frame.isQuery && tokens[at]?.text !== "(") target(frame);
    } else if (key === "into") {
      if (wordAt(at - 2) !== "insert") {
        statement.effect = "write";
        target(frame);
        frame.inFrom = false;
      }
    } else if (END_OF_FROM.has(key)) frame.inFrom = false;
  }

  function modify(key: string, frame: Frame): void {
    operation(key.toUpperCase());
    if (!isDryRun) statement.effect = "write";
    frame.isQuery = true;
    frame.inWith = false;
    skip(BEFORE_OBJECT);
    if (key === "update") target(frame);
    else if (wordAt(at) === "into" || (wordAt(at) === "from" && key === "delete")) {
      at += 1;
      target(frame);
    } else if (key !== "delete") target(frame);
    frame.inFrom = key !== "insert" && key !== "replace" && key !== "merge";
  }

  /** A table, a function, or nothing where a subquery follows. */
  function target(frame: Frame): void {
    frame.inFrom = true;
    skip(BEFORE_NAME);
    while (tokens[at]?.text === "(") {
      // A subquery, which its own SELECT announces; else a join in parentheses.
      if (READ.has(tokens[at + 1]?.key ?? "")) return;
      at += 1;
      frames.push({ isQuery: true, inFrom: true, inWith: false });
      skip(BEFORE_NAME);
    }
    const begin = at;
    const name = nameAt();
    if (name === undefined) return;
    const isFunction = tokens[at]?.text === "(" && tokens[begin - 1]?.key !== "into";
    if (at === begin + 1 && !isFunction && ctes.has(tokens[begin]?.key ?? "")) return;
    statement.words.push(name);
    if (!isFunction) statement.tables.push(name);
  }

  function nameAt(): string | undefined {
    let name: string | undefined;
    while (at < end) {
      const token = tokens[at];
      if (token === undefined || (token.kind !== "word" && token.kind !== "name")) break;
      if (name === undefined && token.kind === "word" && (JOINS.has(token.key) || END_OF_FROM.has(token.key))) break;
      name = name === undefined ? token.text : `${name}.${token.text}`;
      at += 1;
      if (tokens[at]?.text !== ".") break;
      at += 1;
    }
    return name;
  }

  function operation(name: string): void {
    statement.operationName ??= name;
    statement.words.push(name);
  }

  function cteName(): void {
    const token = tokens[at];
    if (token !== undefined) ctes.add(token.key);
  }

  function isWithClause(): boolean {
    const name = wordAt(at) === "recursive" ? at + 1 : at;
    const next = tokens[name + 1];
    return wordAt(name) !== "ordinality" && (next?.key === "as" || next?.text === "(");
  }

  /** Whatever is no query: its verb, the kind of object, its name. */
  function utility(): void {
    at = first + 1;
    let name = verb.toUpperCase();
    statement.operationName = name;
    if (verb === "values" || CONTROL.has(verb) || tokens[first]?.kind !== "word") {
      if (tokens[first]?.kind === "word") statement.words.push(name);
      if (verb !== "values" && verb !== "prepare") at = end;
      return;
    }
    if (verb === "explain" || verb === "copy" || verb === "prepare" || verb === "declare") {
      statement.words.push(name);
      if (verb === "copy" && tokens[at]?.text !== "(") {
        named(true);
        at = end;
      }
      return;
    }
    skip(BEFORE_OBJECT);
    let isTable = verb === "truncate" || verb === "table" || verb === "analyze" || verb === "vacuum";
    while (OBJECTS.has(wordAt(at) ?? "")) {
      const object = wordAt(at);
      if (object === "table") isTable = true;
      name += ` ${String(object).toUpperCase()}`;
      at += 1;
    }
    statement.words.push(name);
    if (name !== verb.toUpperCase() || isTable || verb === "call" || verb === "exec") named(isTable);
    // CREATE TABLE x AS SELECT …
    if (verb !== "create" || !isTable) at = end;
    else while (at < end && wordAt(at) !== "as") at += 1;
  }

  function named(isTable: boolean): void {
    skip(BEFORE_NAME);
    const name = nameAt();
    if (name === undefined) return;
    statement.words.push(name);
    if (isTable) statement.tables.push(name);
  }

  function skip(words: ReadonlySet<string>): void {
    while (words.has(wordAt(at) ?? "")) at += 1;
  }

  /** EXPLAIN ANALYZE, or (ANALYZE, …), does what it explains. */
  function analyzes(): boolean {
    let option = first + 1;
    if (tokens[option]?.text === "(")
      while (option < end && tokens[option]?.text !== ")" && wordAt(option) !== "analyze") option += 1;
    return wordAt(option) === "analyze";
  }

  function wordAt(position: number): string | undefined {
    const token = tokens[position];
    return position < end && token?.kind === "word" ? token.key : undefined;
  }
}

function effectOf(verb: string): QueryShape["effect"] {
  if (READ.has(verb)) return "read";
  return CONTROL.has(verb) || verb === "" ? "control" : "write";
}
