import { describe, expect, test } from "vitest";
import { negotiateFormat, takesGzip } from "../src/negotiate.js";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
const ASK_PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

describe("the format", () => {
  test.each([
    ["nothing", undefined, TEXT],
    ["an empty header", "", TEXT],
    [
      "Prometheus 2.42",
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      OPENMETRICS,
    ],
    [
      "Prometheus 2.42 with native histograms",
      `${ASK_PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1`,
      PROTOBUF,
    ],
    [
      "Prometheus 3",
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
      `${OPENMETRICS}; escaping=allow-utf-8`,
    ],
    [
      "Prometheus 3 told to take text",
      "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4",
      "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
    ],
    ["a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT],
    ["curl", "*/*", TEXT],
    ["the older OpenMetrics", "application/openmetrics-text; version=0.0.1", OPENMETRICS.replace("1.0.0", "0.0.1")],
    ["OpenMetrics of any version", "application/openmetrics-text", OPENMETRICS],
    ["OpenMetrics that is not there yet", "application/openmetrics-text;version=2.0.0,text/plain;q=0.5", TEXT],
    ["what is liked best comes last", "text/plain;q=0.2, application/openmetrics-text;q=0.9", OPENMETRICS],
    ["equals: the first", "text/plain, application/openmetrics-text", TEXT],
    ["what is refused", "application/openmetrics-text;q=0", TEXT],
    ["a quality that is none", "application/openmetrics-text;q=best", TEXT],
    ["a quality above one", "text/plain, application/openmetrics-text;q=7", TEXT],
    ["other cases, spaces and quotes", ' Application/OpenMetrics-Text ; VERSION = "1.0.0" ; q = 1 ', OPENMETRICS],
    ["another protobuf", "application/vnd.google.protobuf;proto=other;encoding=delimited", TEXT],
    ["protobuf as text", ASK_PROTOBUF.replace("delimited", "text"), TEXT],
    ["protobuf with names", `${ASK_PROTOBUF};escaping=allow-utf-8`, `${PROTOBUF}; escaping=allow-utf-8`],
    ["an escaping as the documentation spells it", "text/plain;escaping=allow-utf8", `${TEXT}; escaping=allow-utf-8`],
    ["dots", "application/openmetrics-text;escaping=dots", `${OPENMETRICS}; escaping=dots`],
    ["an escaping that nobody knows", "text/plain;escaping=evil\r\nx:y", `${TEXT}; escaping=underscores`],
    ["an escaping of every object", "text/plain;escaping=constructor", `${TEXT}; escaping=underscores`],
    ["rubbish", ";;,=;q=,;,*;*/", TEXT],
  ])("%s", (_, accept, expected) => {
    expect(negotiateFormat(accept).contentType).toBe(expected);
  });
});

test.each([
  [undefined, false],
  ["", false],
  ["gzip", true],
  ["gzip, deflate, br", true],
  ["br;q=1, GZIP;q=0.1", true],
  ["*", true],
  ["identity", false],
  ["deflate, br", false],
  ["gzip;q=0", false],
  ["gzip;q=0, *", false],
  ["gzip;q=0.5, identity", false],
  ["identity;q=0.5, gzip", true],
])("Accept-Encoding %j: gzip %s", (header, expected) => {
  expect(takesGzip(header)).toBe(expected);
});
