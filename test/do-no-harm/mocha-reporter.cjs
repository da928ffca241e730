"use strict";
const { appendFileSync } = require("node:fs");
const { relative } = require("node:path");

/** A reporter of mocha: a line of JSON for each test, written at once, as a suite may end its process. */
module.exports = function report(runner, { reporterOptions }) {
  const write = (state) => (test, error) => {
    const file = test.file === undefined ? [] : [relative(process.cwd(), test.file)];
    const name = [...file, ...test.titlePath()].join(" > ");
    appendFileSync(reporterOptions.output, `${JSON.stringify({ name, state, error: error?.stack ?? "" })}\n`);
  };
  runner.on("pass", write("passed"));
  runner.on("pending", write("skipped"));
  runner.on("fail", write("failed"));
};
