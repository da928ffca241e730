/* Preload: `node --require telltale/register app.js` or `--import telltale/register`. Old syntax on purpose: it must run, and say what it
   needs, on any Node. */
"use strict";
var parts = process.versions.node.split(".").map(Number);
if (parts[0] > 22 || (parts[0] === 22 && parts[1] >= 15)) {
  try {
    require("./dist/register.cjs");
  } catch (error) {
    // Half an installation: a package that is missing, a file that cannot be read.
    if (process.env.TELLTALE_LOG !== "silent") {
      process.stderr.write(
        "telltale: not started, the app runs without instrumentation: " +
          String((error && error.message) || error).split("\n")[0] +
          "\n",
      );
    }
  }
} else if (process.env.TELLTALE_LOG !== "silent") {
  process.stderr.write(
    "telltale: needs Node.js 22.15 or newer, found " + process.version + "; the app runs without instrumentation\n",
  );
}
