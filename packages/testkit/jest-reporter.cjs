"use strict";
// Jest takes the class that a reporter's module exports.
module.exports = require("./dist/jest-reporter.js").JestReporter;
