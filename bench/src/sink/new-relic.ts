/** The most spans per harvest that its collector allows. */
const SPANS = 10_000;
const HARVEST_MS = 5_000;

/** What New Relic's collector would return, as far as its agent needs it to go on sending. */
export function answerNewRelic(method: string | null, port: number): unknown {
  if (method === "preconnect") return { redirect_host: `localhost:${port}` };
  if (method === "get_agent_commands") return [];
  if (method !== "connect") return null;
  return {
    agent_run_id: "1",
    account_id: "1",
    primary_application_id: "1",
    trusted_account_key: "1",
    entity_guid: "bench",
    collect_traces: true,
    collect_errors: true,
    collect_span_events: true,
    apdex_t: 0.5,
    data_report_period: 60,
    product_level: 30,
    messages: [],
    url_rules: [],
    metric_name_rules: [],
    transaction_name_rules: [],
    request_headers_map: {},
    event_harvest_config: {
      report_period_ms: HARVEST_MS,
      harvest_limits: { analytic_event_data: 833, custom_event_data: 250, error_event_data: 8, span_event_data: SPANS },
    },
    span_event_harvest_config: { report_period_ms: HARVEST_MS, harvest_limit: SPANS },
  };
}

export function countNewRelicSpans(body: Uint8Array): number {
  const [, , events] = JSON.parse(new TextDecoder().decode(body)) as [unknown, unknown, unknown[]?];
  return events?.length ?? 0;
}
