import { analyzeQuery } from "./analyze-query.js";
import type { QueryShape, SqlDialect } from "./query-shape.js";

export interface ShapeCache {
  /** The shape of a query; of one over 100,000 characters, the shape of its beginning. */
  get(text: string): QueryShape;
}

const MAX_ENTRIES = 2_000;
/** Of the texts that are its keys, together. */
const MAX_CHARACTERS = 4_000_000;
/** A longer text is neither kept nor read to its end. */
const MAX_LENGTH = 100_000;
const MAX_BEGINNING = 20_000;

/**
 * Shapes of the queries used last, by their text, so that a prepared or repeated query costs one look-up. There are two generations:
 * when the younger is full, it becomes the older, which is forgotten; what is used meanwhile comes over. So a look-up changes nothing.
 */
export function createShapeCache(dialect: SqlDialect): ShapeCache {
  let younger = new Map<string, QueryShape>();
  let older: ReadonlyMap<string, QueryShape> = new Map();
  let characters = 0;

  function keep(text: string, shape: QueryShape): QueryShape {
    if (younger.size >= MAX_ENTRIES / 2 || characters + text.length > MAX_CHARACTERS / 2) {
      older = younger;
      younger = new Map();
      characters = 0;
    }
    younger.set(text, shape);
    characters += text.length;
    return shape;
  }

  return {
    get(text) {
      const known = younger.get(text);
      if (known !== undefined) return known;
      if (text.length > MAX_LENGTH) return analyzeQuery(text.slice(0, MAX_BEGINNING), dialect);
      return keep(text, older.get(text) ?? analyzeQuery(text, dialect));
    },
  };
}
