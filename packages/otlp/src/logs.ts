import { AnyValue, KeyValue, Resource, Scope } from "./common-messages.js";
import { parse } from "./json.js";
import { message } from "./message.js";
import { decode } from "./protobuf.js";

const LogRecord = message({
  1: ["timeUnixNano", () => "nanos"],
  2: ["severityNumber", () => "enum"],
  3: ["severityText", () => "string"],
  5: ["body", () => AnyValue],
  6: ["attributes", () => KeyValue, "many"],
  8: ["flags", () => "fixed32"],
  9: ["traceId", () => "id"],
  10: ["spanId", () => "id"],
  11: ["observedTimeUnixNano", () => "nanos"],
  12: ["eventName", () => "string"],
});
const ScopeLogs = message({ 1: ["scope", () => Scope], 2: ["logRecords", () => LogRecord, "many"] });
const ResourceLogs = message({ 1: ["resource", () => Resource], 2: ["scopeLogs", () => ScopeLogs, "many"] });
const ExportLogsServiceRequest = message({ 1: ["resourceLogs", () => ResourceLogs, "many"] });

export interface LogMessage {
  readonly timeUnixNano?: bigint;
  readonly observedTimeUnixNano?: bigint;
  /** 1 to 24; 0 where nobody said. */
  readonly severityNumber?: number;
  readonly severityText?: string;
  readonly body?: AnyValue;
  readonly attributes?: readonly KeyValue[];
  readonly flags?: number;
  /** Empty outside of a trace. */
  readonly traceId?: string;
  readonly spanId?: string;
  readonly eventName?: string;
}

export interface LogsRequest {
  readonly resourceLogs?: readonly {
    readonly resource?: Resource;
    readonly scopeLogs?: readonly { readonly scope?: Scope; readonly logRecords?: readonly LogMessage[] }[];
  }[];
}

/** An ExportLogsServiceRequest. Throws an OtlpError. */
export function decodeLogs(bytes: Uint8Array): LogsRequest {
  return decode(ExportLogsServiceRequest, bytes);
}

/** The same in JSON. */
export function parseLogs(text: string): LogsRequest {
  return parse(ExportLogsServiceRequest, text);
}
