/** What a terminal, a browser or a reader of logs may take for more than text, and JSON lets pass. */
const HOSTILE = /[<\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** Escapes within a text of JSON whatever acts on a terminal or in HTML; it means the same to who parses it. */
export function escapeHostile(json: string): string {
  return json.replace(HOSTILE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
