import type { ProcessNow, Steps } from "../../src/api/answers.js";
import { formatBytes, formatMs, formatShare } from "../format.js";
import { showLine } from "../show-text.js";
import { Sparkline } from "./sparkline.js";

/** How a process does: its event loop, processor and memory, as far as it tells. */
export function ProcessCard({ process }: { readonly process: ProcessNow }) {
  return (
    <article class="card" aria-label={`${process.service} ${process.instance}`}>
      <h3>
        {showLine(process.service, 60)} <small class="ellipsis">{showLine(process.instance, 100)}</small>
      </h3>
      <dl>
        <Gauge name="event loop delay, p99" steps={process.loopDelayP99Ms} unit="ms" write={formatMs} />
        <Gauge name="event loop busy" steps={process.loopUtilization} unit="%" write={formatShare} max={1} />
        <Gauge name="processor" steps={process.cpu} unit="%" write={formatShare} max={1} />
        <Gauge name="heap used" steps={process.heapUsedBytes} unit="By" write={formatBytes} />
        <Gauge name="memory (RSS)" steps={process.rssBytes} unit="By" write={formatBytes} />
      </dl>
    </article>
  );
}

function Gauge({
  name,
  steps,
  unit,
  write,
  max,
}: {
  readonly name: string;
  readonly steps: Steps;
  readonly unit: string;
  readonly write: (value: number | null | undefined) => string;
  readonly max?: number;
}) {
  const last = steps.values.findLast((value) => value !== null);
  // Not all SDKs tell all of it.
  if (last === undefined) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd class="num">{write(last)}</dd>
      <dd class="spark">
        <Sparkline label={name} steps={steps} unit={unit} {...(max !== undefined && { max })} />
      </dd>
    </div>
  );
}
