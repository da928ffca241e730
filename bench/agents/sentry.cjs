"use strict";
const { createRequire } = require("node:module");

const { init } = createRequire(`${process.env.BENCH_PEER}/package.json`)("@sentry/node");
init({ dsn: process.env.BENCH_SENTRY_DSN, tracesSampleRate: 1 });
