"use strict";
// What no agent can be below: a context per request, two timestamps per operation, nothing made of them.
const { AsyncLocalStorage } = require("node:async_hooks");
const { Server } = require("node:http");

class Operation {
  constructor(request) {
    this.request = request;
    this.start = performance.now();
    this.end = 0;
  }

  finish() {
    this.end = performance.now();
    ended.push(this);
  }
}

const requests = new AsyncLocalStorage();
let ended = [];
setInterval(() => {
  ended = [];
}, 500).unref();

const { emit } = Server.prototype;
Server.prototype.emit = function emitInContext(event, ...args) {
  if (event !== "request") return emit.call(this, event, ...args);
  const operation = new Operation(undefined);
  args[1].once("finish", () => operation.finish());
  return requests.run(operation, () => emit.call(this, event, ...args));
};

globalThis.benchFloor = (call) => async (first, second) => {
  const operation = new Operation(requests.getStore());
  try {
    return await call(first, second);
  } finally {
    operation.finish();
  }
};
