import { createRequire } from "node:module";
import { addListener, defineInstrumentation } from "@telltale/core";
import { expect, test } from "vitest";
import { createMetrics } from "../src/index.js";
import { query, template } from "./operations.js";

const require = createRequire(import.meta.url);
const patch = () => () => {};

test("each library that was loaded is told once, with what became of it", async () => {
  const metrics = createMetrics({ runtime: false });
  const undo = [metrics.stop, addListener(metrics.listener)];
  const instrumentations = [
    defineInstrumentation({ name: "a", modules: [{ module: "pg", calls: "pg", majors: [8, 8], patch }] }),
    defineInstrumentation({ name: "d", modules: [{ module: "tedious", calls: "another", majors: [18, 20], patch }] }),
    defineInstrumentation({ name: "b", modules: [{ module: "express", majors: [1, 2], patch }] }),
    defineInstrumentation({ name: "c", modules: [{ module: "mysql2", majors: [3, 3], patch }] }),
  ];
  for (const each of instrumentations) {
    each.enable();
    undo.push(each.disable);
  }
  const version = (name: string) => (require(`${name}/package.json`) as { version: string }).version;
  const read = async () => {
    const { resourceMetrics } = await metrics.producer.collect();
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const points = all.find(({ descriptor }) => descriptor.name === "telltale.instrumentation.libraries")?.dataPoints;
    return (points ?? []).map(
      ({ attributes, value }) =>
        `${attributes["telltale.library.name"]} ${attributes["telltale.library.version"]} ${attributes["telltale.library.state"]} ${value}`,
    );
  };
  try {
    expect(await read()).toEqual([]);
    require("pg");
    require("express");
    require("tedious");
    const other = `tedious ${version("tedious")} silent 1`;
    const express = `express ${version("express")} unsupported 1`;
    expect(await read()).toEqual([`pg ${version("pg")} silent 1`, other, express]);
    const call = query(template({ library: "pg" }), 5);
    metrics.listener.operationStarted?.(call);
    metrics.listener.operationEnded?.(call);
    expect(await read()).toEqual([
      `pg ${version("pg")} silent 0`,
      // Its calls may go to the same database: none of them was heard.
      other,
      express,
      `pg ${version("pg")} patched 1`,
    ]);
  } finally {
    for (const step of undo) step();
  }
});
