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

/** Shapes of the queries used last, by their text, so that a prepared or repeated query costs one look-up. */
export function createShapeCache(dialect: SqlDialect): ShapeCache {
  // A Map iterates in the order of insertion: what is found moves to the end, the first is the one to go.
  const shapes = new Map<string, QueryShape>();
  let characters = 0;
  let newest = "";
  return {
    get(text) {
      const known = shapes.get(text);
      if (known !== undefined) {
        if (text !== newest) {
          shapes.delete(text);
          shapes.set(text, known);
          newest = text;
        }
        return known;
      }
      if (text.length > MAX_LENGTH) return analyzeQuery(text.slice(0, MAX_BEGINNING), dialect);
      const shape = analyzeQuery(text, dialect);
      shapes.set(text, shape);
      newest = text;
      characters += text.length;
      for (const oldest of shapes.keys()) {
        if (shapes.size <= MAX_ENTRIES && characters <= MAX_CHARACTERS) break;
        shapes.delete(oldest);
        characters -= oldest.length;
      }
      return shape;
    },
  };
}
