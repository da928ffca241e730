// No `otelcol` is in Debian or npm, so its configuration is checked here: what the pipelines name is defined, what is defined is used,
// and every key is one that the component knows (those of release 0.159 that the examples need).

/** Keys that a component may have; undefined: what is below is not checked. */
interface Keys {
  readonly [key: string]: Keys | undefined;
}
interface Pipeline {
  readonly receivers: readonly string[];
  readonly processors: readonly string[];
  readonly exporters: readonly string[];
}
export interface CollectorConfig {
  readonly receivers: Readonly<Record<string, unknown>>;
  readonly processors: Readonly<Record<string, unknown>>;
  readonly exporters: Readonly<Record<string, unknown>>;
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly service: {
    readonly extensions?: readonly string[];
    readonly pipelines: Readonly<Record<string, Pipeline>>;
    readonly telemetry: unknown;
  };
}

const LEAF = undefined;
const CLIENT: Keys = { endpoint: LEAF, compression: LEAF, timeout: LEAF, tls: { insecure: LEAF } };
const { endpoint: _, ...BALANCED_CLIENT } = CLIENT;

const RECEIVERS: Keys = { otlp: { protocols: { grpc: { endpoint: LEAF }, http: { endpoint: LEAF } } } };
const PROCESSORS: Keys = {
  memory_limiter: {
    check_interval: LEAF,
    limit_mib: LEAF,
    spike_limit_mib: LEAF,
    limit_percentage: LEAF,
    spike_limit_percentage: LEAF,
  },
  batch: { timeout: LEAF, send_batch_size: LEAF, send_batch_max_size: LEAF },
  tail_sampling: {
    decision_wait: LEAF,
    num_traces: LEAF,
    expected_new_traces_per_sec: LEAF,
    decision_cache: { sampled_cache_size: LEAF, non_sampled_cache_size: LEAF },
    policies: LEAF,
  },
};
const EXPORTERS: Keys = {
  otlp_grpc: CLIENT,
  loadbalancing: {
    routing_key: LEAF,
    protocol: { otlp: BALANCED_CLIENT },
    resolver: { dns: { hostname: LEAF, port: LEAF, interval: LEAF, timeout: LEAF } },
  },
};
const EXTENSIONS: Keys = { health_check: { endpoint: LEAF, path: LEAF } };
const TELEMETRY: Keys = { metrics: { readers: LEAF } };
const POLICIES: Keys = {
  status_code: { status_codes: LEAF },
  latency: { threshold_ms: LEAF, upper_threshold_ms: LEAF },
  probabilistic: { hash_salt: LEAF, sampling_percentage: LEAF },
  rate_limiting: { spans_per_second: LEAF },
  ottl_condition: { error_mode: LEAF, span: LEAF, spanevent: LEAF },
  and: { and_sub_policy: LEAF },
};

/** What is wrong with a Collector's configuration, a sentence each. */
export function findCollectorProblems(config: CollectorConfig): string[] {
  const { pipelines, extensions = [], telemetry } = config.service;
  const problems = [
    ...findUnknownKeys(config, { receivers: LEAF, processors: LEAF, exporters: LEAF, extensions: LEAF, service: LEAF }),
    ...findUnknownKeys(config.service, { pipelines: LEAF, extensions: LEAF, telemetry: TELEMETRY }, "service"),
    ...compare("extension", config.extensions ?? {}, extensions, EXTENSIONS),
  ];
  if (telemetry === undefined) problems.push("service: its own metrics are not served");
  const used = Object.values(pipelines);
  problems.push(
    ...compare(
      "receiver",
      config.receivers,
      used.flatMap(({ receivers }) => receivers),
      RECEIVERS,
    ),
    ...compare(
      "processor",
      config.processors,
      used.flatMap(({ processors }) => processors),
      PROCESSORS,
    ),
    ...compare(
      "exporter",
      config.exporters,
      used.flatMap(({ exporters }) => exporters),
      EXPORTERS,
    ),
  );
  for (const [name, { receivers, processors, exporters }] of Object.entries(pipelines)) {
    if (receivers.length === 0 || exporters.length === 0) problems.push(`pipeline ${name} leads nowhere`);
    // Batches that are refused, or taken apart by sampling, were made in vain.
    if (processors[0] !== "memory_limiter") problems.push(`pipeline ${name}: memory_limiter is not the first`);
    if (processors.at(-1) !== "batch") problems.push(`pipeline ${name}: batch is not the last`);
  }
  for (const [name, settings] of Object.entries(config.processors)) {
    if (typeOf(name) === "tail_sampling")
      problems.push(...findPolicyProblems((settings as { policies: Policy[] }).policies));
  }
  return problems;
}

interface Policy {
  readonly name: string;
  readonly type: string;
  readonly and?: { readonly and_sub_policy: readonly Policy[] };
}

function findPolicyProblems(policies: readonly Policy[]): string[] {
  const names = policies.map(({ name }) => name);
  const doubled = names.filter((name, index) => names.indexOf(name) !== index);
  return [
    ...doubled.map((name) => `policy ${name} is there twice`),
    ...policies.flatMap((policy) => {
      const known = POLICIES[policy.type];
      if (known === undefined) return [`policy ${policy.name}: ${policy.type} is no type of policy`];
      if (!(policy.type in policy)) return [`policy ${policy.name} has no settings of its type ${policy.type}`];
      return [
        ...findUnknownKeys(policy, { name: LEAF, type: LEAF, [policy.type]: known }, `policy ${policy.name}`),
        ...(policy.and === undefined ? [] : findPolicyProblems(policy.and.and_sub_policy)),
      ];
    }),
  ];
}

/** `otlp_grpc/tempo` is of the type `otlp_grpc`. */
function typeOf(id: string): string {
  return id.split("/", 1)[0] ?? id;
}

function compare(
  what: string,
  defined: Readonly<Record<string, unknown>>,
  used: readonly string[],
  types: Keys,
): string[] {
  return [
    ...new Set(used.filter((id) => !(id in defined)).map((id) => `${what} ${id} is used and not defined`)),
    ...Object.entries(defined).flatMap(([id, settings]) => {
      const type = typeOf(id);
      if (!used.includes(id)) return [`${what} ${id} is defined and not used`];
      if (!(type in types)) return [`${what} ${id}: ${type} is not known here`];
      return findUnknownKeys(settings, types[type], `${what} ${id}`);
    }),
  ];
}

function findUnknownKeys(settings: unknown, known: Keys | undefined, where = "the file"): string[] {
  if (known === undefined || settings === null || settings === undefined) return [];
  if (typeof settings !== "object") return [`${where}: expected an object, got ${String(settings)}`];
  return Object.entries(settings).flatMap(([key, value]) =>
    key in known ? findUnknownKeys(value, known[key], `${where}.${key}`) : [`${where}: ${key} is not known`],
  );
}
