import { useMemo, useRef } from "preact/hooks";
import type { Trace } from "../../../src/api/answers.js";
import { apiPath, useApi } from "../../api.js";
import { Empty, Loaded, Page } from "../../components/page.js";
import { modelTrace } from "./trace-model.js";
import { TraceView } from "./trace-view.js";

/** Spans of a trace come in batches, those of other services later: so long it is asked again. */
const YOUNG_MS = 20_000;

export function TracePage({ traceId }: { readonly traceId: string }) {
  const path = apiPath(["trace", traceId]);
  const first = useApi<Trace>(path);
  const isYoung = first.data !== undefined && Date.now() - first.data.startMs - first.data.durationMs < YOUNG_MS;
  const later = useApi<Trace>(isYoung ? path : undefined, ["spans", "logs", "findings"]);
  // What came last stays when nothing more is asked for.
  const latest = useRef<Trace | undefined>(undefined);
  latest.current = later.data ?? latest.current ?? first.data;
  const trace = latest.current;
  const model = useMemo(() => trace && modelTrace(trace), [trace]);
  if (first.error?.status === 404) {
    return (
      <Page title="No such trace">
        <Empty title="This trace is not kept.">
          <p>It may have had to make room for newer ones, was not sampled, or has not come yet.</p>
          <p>
            <button type="button" onClick={first.refresh}>
              Look again
            </button>{" "}
            <a href="/requests">All requests</a>
          </p>
        </Empty>
      </Page>
    );
  }
  if (!model) {
    return (
      <Page title="Trace">
        <Loaded answer={first}>{() => null}</Loaded>
      </Page>
    );
  }
  return <TraceView model={model} />;
}
