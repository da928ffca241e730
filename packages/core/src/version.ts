/** The version all packages share; a test compares it with every package.json. */
export const VERSION = "0.1.0";
