import { parseArgs } from "node:util";
import { sendLoad } from "./send-load.js";
import { startViewerProcess } from "./viewer-process.js";

// `npm run bench:viewer -- --seconds=60 --spans=5000`: what the viewer does under load. Ends with 1 where it does not hold what it promises.
const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, spans: { type: "string", default: "5000" } },
});
const MAX_PAGE_MS = 200;
const load = { seconds: Number(values.seconds), spansPerSecond: Number(values.spans) };
if (!(load.seconds >= 1 && load.spansPerSecond >= 100 && load.spansPerSecond % 100 === 0))
  throw new Error(
    `--seconds must be from 1 on and --spans a multiple of 100, got ${values.seconds} and ${values.spans}`,
  );

const viewer = await startViewerProcess();
try {
  const report = await sendLoad(viewer, load, viewer);
  const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MiB`;
  console.log(
    `sent ${report.sent} spans in ${load.seconds} s: ${report.received} received, ${report.dropped} dropped, ${report.held} held`,
  );
  console.log(`processor: ${Math.round(100 * report.cpu)} % of one`);
  console.log(
    `memory: ${report.rssBytes
      .filter((_, second) => second % 5 === 0)
      .map(mib)
      .join(", ")} (every 5 s)`,
  );
  console.table(
    report.pages.map(({ page, asked, p50Ms, maxMs }) => ({
      page,
      asked,
      "p50 ms": Math.round(p50Ms),
      "max ms": Math.round(maxMs),
    })),
  );
  const slow = report.pages.filter(({ maxMs }) => maxMs > MAX_PAGE_MS);
  const faults = [
    ...(report.received === report.sent && report.dropped === 0 ? [] : ["spans were lost"]),
    ...Object.entries(report.refused).map(([status, times]) => `${times} answers with ${status}`),
    ...slow.map(({ page, maxMs }) => `${page} took ${Math.round(maxMs)} ms, more than ${MAX_PAGE_MS}`),
  ];
  for (const fault of faults) console.log(`✗ ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
} finally {
  await viewer.stop();
}
