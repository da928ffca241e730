import { countDatadogSpans } from "./datadog.js";
import { answerNewRelic, countNewRelicSpans } from "./new-relic.js";
import { countOtlpSpans } from "./otlp.js";
import { countSentrySpans } from "./sentry.js";

export interface Answer {
  readonly spans: number;
  readonly type: string;
  readonly body: string;
}

/** What Datadog's agent says of itself: the newest protocol for traces that it is asked about here is v0.5. */
const DATADOG_INFO = JSON.stringify({
  version: "7.70.0",
  endpoints: ["/v0.4/traces", "/v0.5/traces", "/v0.6/stats", "/v0.7/config", "/telemetry/proxy/", "/evp_proxy/v2/"],
  client_drop_p0s: true,
  span_meta_structs: true,
  config: { statsd_port: 8125 },
});

const JSON_TYPE = "application/json";

/** Counts the spans of a request to any of the collectors that the agents know, and says what each wants to hear. */
export function answer(path: string, query: URLSearchParams, body: Uint8Array, port: number): Answer {
  if (path.endsWith("/v1/traces")) return { spans: countOtlpSpans(body), type: "application/x-protobuf", body: "" };
  if (path === "/info") return { spans: 0, type: JSON_TYPE, body: DATADOG_INFO };
  const datadog = /^\/(v0\.[345])\/traces$/.exec(path);
  if (datadog !== null) {
    const spans = body.length === 0 ? 0 : countDatadogSpans(body, datadog[1] ?? "");
    return { spans, type: JSON_TYPE, body: '{"rate_by_service":{"service:,env:":1}}' };
  }
  if (path.endsWith("/envelope/")) return { spans: countSentrySpans(body), type: JSON_TYPE, body: '{"id":"0"}' };
  if (path === "/agent_listener/invoke_raw_method") {
    const method = query.get("method");
    const spans = method === "span_event_data" ? countNewRelicSpans(body) : 0;
    return { spans, type: JSON_TYPE, body: JSON.stringify({ return_value: answerNewRelic(method, port) }) };
  }
  return { spans: 0, type: JSON_TYPE, body: "{}" };
}
