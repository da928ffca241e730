"use strict";
// CommonJS, because the preloads of most agents instrument nothing else.
const express = require("express");
const { readItem, readMany } = require("./service.cjs");
const probe = require("./probe.cjs");

const app = express();
app.use(express.json());
app.use((_request, response, next) => {
  response.setHeader("x-service", "bench");
  next();
});
const router = express.Router();
router.get("/item/:id", async (request, response) => {
  response.json(await readItem(Number(request.params.id)));
});
router.get("/multi/:id", async (request, response) => {
  response.json(await readMany(Number(request.params.id)));
});
app.use("/", router);
app.use((error, _request, response, _next) => {
  response.status(500).json({ error: error.message });
});

const server = app.listen(0, "127.0.0.1", () => probe.listening(server.address().port));
// The load keeps its connections between blocks.
server.keepAliveTimeout = 3_600_000;
