import { limitOf } from "../self.js";
import { describeShape, readQuery } from "./analyze-query.js";
import { fingerprint } from "./fingerprint.js";
import { Generations } from "../generations.js";
import type { QueryShape, SqlDialect } from "./query-shape.js";

export interface ShapeCache {
  /** The shape of a query; of a long one, the shape of its beginning. The very same for all texts of one shape. */
  get(text: string): QueryShape;
}

const MAX_TEXTS = 2_000;
/** Of the texts of one kind, together. */
const MAX_CHARACTERS = 2_000_000;
/** Longer texts, which may be of literals and never come again, have a place of their own, so that they drive out no others. */
const LONG = 4_000;
/** Longer ones are not kept; they are rare, and take no longer to analyse than to compare. */
const MAX_KEPT = 100_000;

const cut = limitOf("db.query.text");
const forgotten = limitOf("query.shapes");

/** Shapes of the queries used last, by their text, so that a prepared or repeated query costs one look-up. */
export function createShapeCache(dialect: SqlDialect): ShapeCache {
  const short = new Generations<QueryShape>(MAX_TEXTS, MAX_CHARACTERS, lengthOfText, forgotten);
  const long = new Generations<QueryShape>(MAX_TEXTS, MAX_CHARACTERS, lengthOfText, forgotten);
  const shapes = new Generations<QueryShape>(MAX_TEXTS, MAX_CHARACTERS, lengthOfShape, forgotten);

  function analyze(text: string): QueryShape {
    const query = readQuery(text, dialect);
    const key = fingerprint(query.tokens);
    let shape = shapes.get(key);
    if (shape === undefined) shapes.set(key, (shape = describeShape(query, key)));
    if (query.isCut || shape.isCut) cut.total += 1;
    return shape;
  }

  return {
    get(text) {
      const texts = text.length > LONG ? long : short;
      const known = texts.get(text);
      if (known !== undefined) return known;
      const shape = analyze(text);
      if (text.length <= MAX_KEPT) texts.set(text, shape);
      return shape;
    },
  };
}

function lengthOfText(text: string): number {
  return text.length;
}

function lengthOfShape(_: string, { queryText }: QueryShape): number {
  return queryText.length;
}
