import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import {
  type CollectorConfig,
  findAddresses,
  findCollectorProblems,
  findUnknownUids,
  type Generated,
  readDataSources,
  resolveEnvironment,
  runGenerate,
} from "@telltale/test/configuration";
import { describeWith } from "@telltale/test/describe-with";
import { findServer } from "@telltale/test/servers";
import { beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { checkTypes, type Container, FOLDER, listFiles, type Manifest, readManifests, readYaml } from "./manifests.js";

const run = promisify(execFile);
const kustomization = readYaml("kustomization.yaml") as {
  readonly namespace: string;
  readonly resources: readonly string[];
  readonly configMapGenerator: readonly { readonly name: string; readonly files: readonly string[] }[];
};
const manifests = readManifests(kustomization.resources);
const named = (kind: string, name: string): Manifest => {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
};
const workloads = manifests.flatMap(({ kind, metadata: { name }, spec }) =>
  spec?.template === undefined ? [] : [{ kind, name, ...spec, template: spec.template }],
);
const services = manifests.filter(({ kind }) => kind === "Service");
const containersOf = ({ template: { spec } }: (typeof workloads)[number]): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
];
const portsOf = (workload: (typeof workloads)[number]) => containersOf(workload).flatMap(({ ports = [] }) => ports);
const CONFIGS = [
  "collector-agent",
  "collector-gateway",
  "tempo",
  "prometheus",
  "mimir",
  "alertmanager",
  "grafana-datasources",
];

describe("the manifests", () => {
  test("follow Kubernetes' types", { timeout: 60_000 }, async () => {
    const shop = named("Deployment", "shop");
    const misspelt = { ...shop, spec: { ...shop.spec, replica: 3 } };
    // With one that is wrong, so that an empty answer is not a check that did not run.
    expect((await checkTypes([...manifests, misspelt])).trim().split("\n")).toEqual([
      expect.stringMatching(/ '"replica"' does not exist in type 'DeploymentSpec'\.$/),
    ]);
  });

  test("are all named by kustomization.yaml, in the namespace that there is", () => {
    expect(kustomization.resources.toSorted()).toEqual(listFiles().filter((name) => name !== "kustomization.yaml"));
    named("Namespace", kustomization.namespace);
    const subjects = JSON.stringify(named("ClusterRoleBinding", "telltale-prometheus"));
    expect(subjects).toContain(`"namespace":"${kustomization.namespace}"`);
  });

  test("mount configuration that kustomization.yaml makes of files that are there", () => {
    const mounted = workloads.flatMap(({ template }) =>
      (template.spec.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []),
    );
    expect(mounted.toSorted()).toEqual(kustomization.configMapGenerator.map(({ name }) => name).toSorted());
    const files = kustomization.configMapGenerator.flatMap(({ files }) =>
      files.map((file) => file.split("=").at(-1) ?? ""),
    );
    expect(files.filter((file) => !file.startsWith("generated/") && !existsSync(join(FOLDER, file)))).toEqual([]);
  });

  test("mount what they declare, and each configuration where its program is told to look", () => {
    for (const workload of workloads) {
      const { volumes = [] } = workload.template.spec;
      const declared = [
        ...volumes.map(({ name }) => name),
        ...(workload.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      ];
      const mounts = containersOf(workload).flatMap(({ volumeMounts = [] }) => volumeMounts);
      expect(new Set(mounts.map(({ name }) => name)), workload.name).toEqual(new Set(declared));
    }
    const told = workloads.flatMap((workload) =>
      workload.template.spec.containers.flatMap(({ args = [], volumeMounts = [] }) =>
        args.flatMap((flag) => {
          const [, folder, file] = /^-{1,2}config(?:\.file)?=(.*)\/(.*)$/.exec(flag) ?? [];
          if (folder === undefined) return [];
          const volume = volumeMounts.find(({ mountPath }) => mountPath === folder)?.name;
          const map =
            workload.template.spec.volumes?.find(({ name }) => name === volume)?.configMap?.name ?? workload.name;
          const made = kustomization.configMapGenerator.find(({ name }) => name === map)?.files ?? [];
          return [{ name: workload.name, there: made.some((made) => made.startsWith(`${file}=`)) }];
        }),
      ),
    );
    const programs = ["collector-agent", "collector-gateway", "tempo", "prometheus", "mimir", "alertmanager"];
    expect(told).toEqual(programs.map((name) => ({ name, there: true })));
  });

  test("have services that lead to a port of the pods they select", () => {
    expect(services.length).toBeGreaterThan(0);
    for (const { metadata, spec } of services) {
      const selected = workloads.filter(({ template }) => template.metadata.labels["app"] === spec?.selector?.["app"]);
      expect(selected, metadata.name).toHaveLength(1);
      const names = selected.flatMap(portsOf).map(({ name }) => name);
      for (const { targetPort } of spec?.ports ?? []) expect(names, metadata.name).toContain(targetPort);
    }
    for (const { kind, name, serviceName } of workloads)
      if (kind === "StatefulSet") named("Service", serviceName ?? name);
  });

  test("probe ports that are there", () => {
    for (const workload of workloads) {
      for (const { name, readinessProbe, livenessProbe } of workload.template.spec.containers) {
        expect(readinessProbe, name).toBeDefined();
        const names = portsOf(workload).map(({ name }) => name);
        for (const probe of [readinessProbe, livenessProbe]) if (probe) expect(names).toContain(probe.httpGet.port);
      }
    }
  });

  test("all ask to be scraped, on a port of theirs", () => {
    for (const workload of workloads) {
      const { annotations = {} } = workload.template.metadata;
      expect(annotations["prometheus.io/scrape"], workload.name).toBe("true");
      expect(portsOf(workload).map(({ containerPort }) => containerPort)).toContain(
        Number(annotations["prometheus.io/port"]),
      );
    }
  });

  test("keep to the namespace's pod security standard", () => {
    for (const workload of workloads) {
      expect(workload.template.spec.securityContext, workload.name).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const { securityContext } of containersOf(workload)) {
        expect(securityContext, workload.name).toMatchObject({
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
        });
      }
    }
  });

  test("use the releases of the Compose example", () => {
    const compose = parse(readFileSync(new URL("../../stack/compose.yaml", import.meta.url), "utf8")) as {
      services: Record<string, { image?: string }>;
    };
    const known = new Set([
      ...Object.values(compose.services).map(({ image }) => image),
      "shop:0.1.0",
      "grafana/mimir:2.17.4",
    ]);
    const used = workloads.flatMap(containersOf).map(({ image }) => image);
    expect(used.filter((image) => !known.has(image))).toEqual([]);
  });
});

test("every address that a file mentions is one of a service's", () => {
  const addresses = [manifests, ...CONFIGS.map((name) => readYaml(`config/${name}.yaml`))].flatMap(findAddresses);
  expect(new Set(addresses.map(({ host }) => host))).toEqual(
    new Set(["collector-agent", "tempo", "mimir", "alertmanager"]),
  );
  const wrong = addresses.filter(
    ({ host, port }) => named("Service", host).spec?.ports?.some((offered) => offered.port === port) !== true,
  );
  expect(wrong).toEqual([]);
});

describe("the shop's environment", () => {
  const { env = [] } = named("Deployment", "shop").spec?.template?.spec.containers[0] ?? {};
  const environment = Object.fromEntries(env.map(({ name, value = "from the cluster" }) => [name, value]));

  test("is one that Telltale accepts, and means the agent and an endpoint that others reach", async () => {
    const { traces, metrics, resourceAttributes } = await resolveEnvironment(environment);
    expect(traces).toMatchObject({
      url: "http://collector-agent:4318/v1/traces",
      sampler: "parentbased_traceidratio",
      samplerArg: 1,
    });
    expect(metrics).toMatchObject({ host: "0.0.0.0", port: 9464 });
    expect(Object.keys(resourceAttributes ?? {})).toEqual(["service.instance.id", "k8s.pod.name", "k8s.node.name"]);
  });

  test.each(Object.keys(environment).filter((name) => /^(OTEL|TELLTALE)_/.test(name)))("%s is read", async (name) => {
    const { [name]: _, ...without } = environment;
    expect(await resolveEnvironment(without)).not.toEqual(await resolveEnvironment(environment));
  });

  test("refers to variables that come before", () => {
    const names = env.map(({ name }) => name);
    for (const [index, { value = "" }] of env.entries()) {
      for (const [, name = ""] of value.matchAll(/\$\((\w+)\)/g)) expect(names.slice(0, index)).toContain(name);
    }
  });
});

describe("the Collectors", () => {
  const agent = readYaml("config/collector-agent.yaml") as CollectorConfig;
  const gateway = readYaml("config/collector-gateway.yaml") as CollectorConfig;

  test.each([
    ["agent", agent],
    ["gateway", gateway],
  ] as const)("the %s's configuration is whole, and listens on the ports of its pod", (name, config) => {
    expect(findCollectorProblems(config)).toEqual([]);
    const endpoints = JSON.stringify(config).match(/(?<="endpoint":"0\.0\.0\.0:)\d+/g) ?? [];
    const metrics = /"prometheus":\{"host":"0\.0\.0\.0","port":(\d+)\}/.exec(JSON.stringify(config))?.[1];
    const pod = workloads.filter((workload) => workload.name === `collector-${name}`).flatMap(portsOf);
    expect([...endpoints, metrics].map(Number).toSorted()).toEqual(
      pod.map(({ containerPort }) => containerPort).toSorted(),
    );
  });

  test("send each trace to one of all the gateways", () => {
    const { loadbalancing } = agent.exporters as {
      loadbalancing: { routing_key: string; resolver: { dns: { hostname: string; port: string } } };
    };
    expect(loadbalancing.routing_key).toBe("traceID");
    const { hostname, port } = loadbalancing.resolver.dns;
    const { spec } = named("Service", hostname);
    expect(spec?.clusterIP).toBe("None");
    expect(spec?.ports?.map(({ port }) => String(port))).toEqual([port]);
  });

  test("keep the traces with findings by the attributes that Telltale writes", async () => {
    const insights = new URL("../../../packages/insights/src/", import.meta.url);
    const written = await Promise.all(
      ["findings/attributes.ts", "slow/slow-query.ts"].map((file) => readFile(new URL(file, insights), "utf8")),
    );
    const attributes = JSON.stringify(gateway.processors).match(/telltale\.[\w.]+/g) ?? [];
    expect(attributes).toHaveLength(2);
    for (const attribute of attributes) expect(written.join()).toContain(`"${attribute}"`);
  });
});

describeWith(["prometheus"], "Prometheus", () => {
  interface Target {
    readonly discoveredLabels: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
  }
  const { initContainers: [shard] = [] } = named("StatefulSet", "prometheus").spec?.template?.spec ?? {};

  /** What the init container makes of the configuration, for one of `shards`, with the pods given in place of Kubernetes'. */
  async function relabel(
    pods: readonly Readonly<Record<string, string>>[],
    shards: number,
    index: number,
  ): Promise<Target[]> {
    const folder = await mkdtemp(join(tmpdir(), "telltale-scale-"));
    try {
      const script = (shard?.args ?? [])
        .join()
        .replace("/etc/template/", join(FOLDER, "config/"))
        .replace("/etc/prometheus/", `${folder}/`);
      await run("sh", ["-c", script], { env: { ...process.env, SHARDS: String(shards), SHARD: String(index) } });
      const config = parse(await readFile(join(folder, "prometheus.yaml"), "utf8")) as {
        scrape_configs: Record<string, unknown>[];
      };
      // Debian's build has no discovery through Kubernetes, and agents nothing that `check service-discovery` minds.
      const scrape_configs = config.scrape_configs.map((scrape) => ({
        ...scrape,
        kubernetes_sd_configs: undefined,
        static_configs: pods.map((labels) => ({ targets: [`${labels["__meta_kubernetes_pod_ip"]}:80`], labels })),
      }));
      const file = join(folder, "checked.yaml");
      await writeFile(file, stringify({ ...config, scrape_configs }));
      const promtool = (await findServer("prometheus")).replace(/prometheus$/, "promtool");
      const { stdout } = await run(promtool, ["check", "config", "--agent", file]);
      expect(stdout).toContain("SUCCESS");
      const found = await run(promtool, ["check", "service-discovery", "--timeout=500ms", file, "pods"]);
      return (JSON.parse(found.stdout) as Target[]).filter(({ labels }) => Object.keys(labels ?? {}).length > 0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  const pod = (index: number, labels: Readonly<Record<string, string>> = {}) => ({
    __meta_kubernetes_pod_uid: `a0000000-0000-4000-8000-00000000${1000 + index}`,
    __meta_kubernetes_pod_ip: `10.1.0.${index}`,
    __meta_kubernetes_pod_name: `shop-${index}`,
    __meta_kubernetes_pod_node_name: "node-1",
    __meta_kubernetes_pod_label_app: "shop",
    __meta_kubernetes_pod_phase: "Running",
    __meta_kubernetes_namespace: "telltale",
    __meta_kubernetes_pod_annotation_prometheus_io_scrape: "true",
    __meta_kubernetes_pod_annotation_prometheus_io_port: "9464",
    ...labels,
  });

  test("scrapes the pods that ask for it, where they ask for it", async () => {
    const pods = [
      pod(1),
      pod(2, { __meta_kubernetes_pod_annotation_prometheus_io_scrape: "false" }),
      pod(3, { __meta_kubernetes_pod_phase: "Succeeded" }),
      pod(4, { __meta_kubernetes_pod_annotation_prometheus_io_path: "/internal/metrics" }),
    ];
    const targets = await relabel(pods, 1, 0);
    const shown = targets.map(({ labels }) => ({
      url: `${labels["__address__"]}${labels["__metrics_path__"]}`,
      labels: Object.fromEntries(Object.entries(labels).filter(([name]) => !name.startsWith("__"))),
    }));
    const common = { job: "shop", namespace: "telltale", node: "node-1" };
    expect(shown.toSorted((one, other) => one.url.localeCompare(other.url))).toEqual([
      { url: "10.1.0.1:9464/metrics", labels: { ...common, instance: "shop-1" } },
      { url: "10.1.0.4:9464/internal/metrics", labels: { ...common, instance: "shop-4" } },
    ]);
  });

  test("is there as often as its configuration is shared", () => {
    const { spec } = named("StatefulSet", "prometheus");
    const shards = shard?.env?.find(({ name }) => name === "SHARDS")?.value;
    expect(String(spec?.replicas)).toBe(shards);
  });

  test("shares the pods among shards: each pod in one, all shards used", async () => {
    const pods = Array.from({ length: 40 }, (_, index) => pod(index + 1));
    const shares = await Promise.all([0, 1, 2].map((index) => relabel(pods, 3, index)));
    const instances = shares.map((targets) => targets.map(({ labels }) => labels["instance"] ?? ""));
    expect(instances.flat().toSorted()).toEqual(pods.map((pod) => pod.__meta_kubernetes_pod_name).toSorted());
    for (const share of instances) expect(share.length).toBeGreaterThan(0);
  });
});

describe("what `npm run generate` writes", () => {
  const { scripts } = JSON.parse(readFileSync(join(FOLDER, "../package.json"), "utf8")) as {
    scripts: { generate: string };
  };
  let generated: Generated;
  beforeAll(async () => {
    generated = await runGenerate(scripts.generate);
    return generated.remove;
  });
  const made = kustomization.configMapGenerator.flatMap(({ files }) =>
    files.filter((file) => file.startsWith("generated/")),
  );

  test("is what kustomization.yaml takes, all of the dashboards, in what a ConfigMap holds", () => {
    expect(scripts.generate).toContain(" --out kubernetes/generated ");
    expect(made.filter((file) => !existsSync(join(generated.folder, file.replace("generated/", ""))))).toEqual([]);
    const dashboards = made.filter((file) => file.startsWith("generated/dashboards/")).map((file) => basename(file));
    expect(dashboards.toSorted()).toEqual(Object.keys(generated.dashboards).toSorted());
    expect(Buffer.byteLength(Object.values(generated.dashboards).join(""))).toBeLessThan(1024 * 1024);
  });

  test("is looked for where it is mounted", () => {
    const { volumeMounts = [] } = named("Deployment", "grafana").spec?.template?.spec.containers[0] ?? {};
    expect(volumeMounts).toContainEqual({ name: "dashboards", mountPath: generated.dashboardFolder, readOnly: true });
  });

  test("fits the data sources, whose uids are the generated ones", () => {
    const dataSources = readDataSources(readFileSync(join(FOLDER, "config/grafana-datasources.yaml"), "utf8"));
    expect(findUnknownUids(generated, dataSources)).toEqual([]);
    const others = generated.dataSources.filter(({ type }) => type !== "jaeger");
    expect(dataSources.map(({ uid, type }) => ({ uid, type }))).toEqual(others.map(({ uid, type }) => ({ uid, type })));
    const label = (list: typeof dataSources) =>
      list.flatMap(({ jsonData }) => jsonData?.exemplarTraceIdDestinations?.[0]?.name ?? []);
    expect(label(dataSources)).toEqual(label(generated.dataSources));
  });
});

describeWith(["alertmanager"], "Alertmanager", () => {
  test("accepts its configuration", async () => {
    const amtool = join(dirname(await findServer("alertmanager")), "amtool");
    const { stdout } = await run(amtool, ["check-config", join(FOLDER, "config/alertmanager.yaml")]);
    expect(stdout).toMatch(/SUCCESS[^]*1 inhibit rules[^]*1 receivers/);
  });
});

test("Mimir's folders lie apart", () => {
  const folders = [...JSON.stringify(readYaml("config/mimir.yaml")).matchAll(/"(\/data\/[^"]*)"/g)].map(
    ([, folder = ""]) => folder,
  );
  expect(folders.length).toBeGreaterThan(3);
  expect(folders.filter((one) => folders.some((other) => other !== one && other.startsWith(`${one}/`)))).toEqual([]);
});
