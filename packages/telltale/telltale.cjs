#!/usr/bin/env node
/* The command line: `npx telltale …`. Old syntax on purpose: it must run, and say what it needs, on any Node. */
"use strict";
var parts = process.versions.node.split(".").map(Number);
if (parts[0] > 22 || (parts[0] === 22 && parts[1] >= 15)) {
  require("./dist/cli/main.cjs");
} else {
  process.stderr.write("telltale: needs Node.js 22.15 or newer, found " + process.version + "\n");
  process.exitCode = 2;
}
