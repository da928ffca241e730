/* What `telltaleWebpack()` of telltale/bundler puts in the way of the libraries that it hands over. */
"use strict";
const { handOver } = require("./dist/bundler/index.cjs");

module.exports = function telltaleLoader(code, map, meta) {
  this.callback(null, handOver(String(code), this.resourcePath) ?? code, map, meta);
};
