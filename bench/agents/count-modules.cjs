"use strict";
// Preloaded before an agent to count the files that it and the app load; too slow to be there when time is measured.
const { registerHooks } = require("node:module");

globalThis.benchModules = new Set();
registerHooks({
  load(url, context, nextLoad) {
    if (url.startsWith("file:")) globalThis.benchModules.add(url);
    return nextLoad(url, context);
  },
});
