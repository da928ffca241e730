const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+(\S+)/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Reads a /metrics page, in Prometheus's text format or OpenMetrics. Time stamps and exemplars are left out. */
export function parsePrometheusText(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = SAMPLE.exec(line);
    if (match === null) throw new Error(`not a line of a Prometheus page: ${line}`);
    const [, name, labels = "", value] = match;
    samples.push({ name, labels: readLabels(labels), value: readValue(value) });
  }
  return samples;
}

function readLabels(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(LABEL)) {
    labels[name] = value.replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped));
  }
  return labels;
}

function readValue(text) {
  if (text === "+Inf") return Infinity;
  if (text === "-Inf") return -Infinity;
  return Number(text);
}

/** Adds up the series of one name, grouped by `keyOf(labels)`; a key of undefined is left out. */
export function sumBy(samples, name, keyOf) {
  const sums = new Map();
  for (const { labels, value } of samples.filter((sample) => sample.name === name)) {
    const key = keyOf(labels);
    if (key !== undefined) sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

/** All series of one name together. */
export function sumOf(samples, name) {
  return sumBy(samples, name, () => "all").get("all") ?? 0;
}
