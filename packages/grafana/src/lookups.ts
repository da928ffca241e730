/** Lookups that found what they looked for … */
export const HIT = { "telltale.cache.result": "=hit" } as const;
/** … of those that were answered. A cache that cannot be asked is neither good nor bad at its work. */
export const ANSWERED = { "telltale.cache.result": "!=error" } as const;
