type Environment = Readonly<Record<string, string | undefined>>;

/** What an app is to send to a viewer on this machine: everything, at once. */
const WANTED: Readonly<Record<string, string>> = {
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "otlp",
  OTEL_LOGS_EXPORTER: "otlp",
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
  OTEL_TRACES_SAMPLER: "always_on",
  OTEL_METRIC_EXPORT_INTERVAL: "1000",
  OTEL_BSP_SCHEDULE_DELAY: "500",
  OTEL_BLRP_SCHEDULE_DELAY: "500",
  TELLTALE_FINDING_EVENTS_MS: "1000",
};

const SIGNALS = ["TRACES", "METRICS", "LOGS"];

/** With these, the viewer does not get all that the app tells. */
const DIVERTING = new Set([
  ...["", ...SIGNALS.map((signal) => `${signal}_`)].flatMap((signal) => [
    `OTEL_EXPORTER_OTLP_${signal}ENDPOINT`,
    `OTEL_EXPORTER_OTLP_${signal}PROTOCOL`,
  ]),
  ...SIGNALS.map((signal) => `OTEL_${signal}_EXPORTER`),
  "OTEL_TRACES_SAMPLER",
  "OTEL_SDK_DISABLED",
]);

/** What of it is no diversion. */
const HARMLESS: readonly RegExp[] = [
  /_PROTOCOL=http\/(protobuf|json)$/,
  /_EXPORTER=(.*,)?\s*otlp\s*(,.*)?$/,
  /_SAMPLER=(parentbased_)?always_on$/,
  /_DISABLED=(?!true$)/i,
];

/** The environment of an app that is to be seen in the viewer. What it says already stays; `theirs` names what keeps the viewer from seeing it all. */
export function pointAt(
  otlpUrl: string,
  given: Environment,
): { env: Record<string, string | undefined>; theirs: string[] } {
  const own = Object.entries(given).filter(([, value]) => value !== undefined && value.trim() !== "");
  const env = { ...given, OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl, ...WANTED, ...Object.fromEntries(own) };
  const theirs = own
    .filter(([name]) => DIVERTING.has(name))
    .filter(([name, value = ""]) => !HARMLESS.some((one) => one.test(`${name}=${value.trim()}`)))
    .filter(([, value = ""]) => value.trim().replace(/\/$/, "") !== otlpUrl)
    .map(([name]) => name);
  return { env, theirs };
}
