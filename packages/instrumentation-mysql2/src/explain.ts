import { type DatabaseOperation, type Explainer, type ExplainJob, workOnOwnConnection } from "@telltale/core";
import type { Connection, ConnectionConfig } from "./driver.js";
import { recognizeSelect } from "./explain-safety.js";
import { type ExplainedCall, explainSelect, type OwnSession } from "./explain-session.js";
import { keepsShape } from "./query-text.js";
import { systemOf } from "./target.js";

const NAME = "telltale explain";
const MAX_VALUES = 20_000;
/** Capabilities of a client: to have files read from it, and to send several statements at once. */
const LOCAL_FILES = 0x80;
const MULTI_STATEMENTS = 0x1_0000;

/**
 * What the text of an operation is: as `written`, with placeholders that the driver puts values into; as `sent`, with all values in it; or
 * `prepared`, with placeholders of the server's.
 */
export type TextForm = "written" | "sent" | "prepared";

/** How calls on a connection are explained, by the form of their text. */
export type Explainers = Readonly<Record<TextForm, Explainer>>;

interface OwnConnection extends Connection {
  readonly stream: { destroy(): void; unref?(): void };
  connect(callback: (error: unknown) => void): void;
  end(callback: () => void): void;
}
type ConnectionClass = new (options: { readonly config: object }) => OwnConnection;

/** The driver's own methods, as what is asked here is nobody's call. */
export type OwnMethods = Pick<Connection, "query" | "execute" | "format">;

/** Makes the explainers of connections. */
export function createExplainers(OwnClass: unknown, methods: OwnMethods): (connection: Connection) => Explainers {
  const prepareAs = (connection: Connection, form: TextForm): Explainer => ({
    prepare(operation: DatabaseOperation): ExplainJob | string {
      const call = readCall(operation, connection, form, methods);
      if (typeof call === "string") return call;
      const config = configOf(connection, operation.template.namespace);
      if (config === undefined) return "how its connection was opened is not known";
      // What is held here until then is a text and values of bounded size.
      const create = () => new (OwnClass as ConnectionClass)({ config });
      return () =>
        workOnOwnConnection({ create, streamOf, meaningOf }, (own) => explainSelect(sessionOf(own, methods), call));
    },
  });
  return (connection) => ({
    written: prepareAs(connection, "written"),
    sent: prepareAs(connection, "sent"),
    prepared: prepareAs(connection, "prepared"),
  });
}

/** A call as it was sent; or why it must not be explained. */
function readCall(
  { text, parameters, rows }: DatabaseOperation,
  connection: Connection,
  form: TextForm,
  { format }: OwnMethods,
): ExplainedCall | string {
  if (text === undefined) return "its text is not known";
  let sent = text;
  if (form === "written" && Array.isArray(parameters) && parameters.length > 0) {
    if (typeof connection.config.queryFormat === "function") return "the app puts values into texts in its own way";
    // The list is the app's, and may be another one by now.
    if (!keepsShape(text, parameters) || !arePlain(parameters)) return "its values are not plain or too long";
    sent = String(format.call(connection, text, parameters));
  }
  const select = recognizeSelect(sent);
  if (typeof select === "string") return select;
  const values = form === "prepared" && Array.isArray(parameters) ? (parameters as unknown[]) : [];
  if (values.length !== select.parameters) return "its values are not those of its text";
  if (!arePlain(values)) return "its values are not plain or too long";
  return { text: sent, select, values: [...values], rows };
}

/** Nothing of the app's runs when they are written down, and they are short enough to be held for a while. */
function arePlain(values: readonly unknown[]): boolean {
  let size = 0;
  for (const value of values) {
    if (typeof value === "string" || Buffer.isBuffer(value)) size += value.length;
    else if (value !== null && !["number", "bigint", "boolean"].includes(typeof value)) {
      if (!(value instanceof Date) || Object.getPrototypeOf(value) !== Date.prototype) return false;
    }
  }
  return size <= MAX_VALUES;
}

/** How the connection was opened, in the database that the call was for; unless by a stream that is in use. */
function configOf({ config }: Connection, database: string | undefined): object | undefined {
  if (config.stream !== undefined && config.stream !== null && typeof config.stream !== "function") return undefined;
  const own: ConnectionConfig = Object.create(Object.getPrototypeOf(config) as object) as ConnectionConfig;
  return Object.assign(own, config, {
    database,
    pool: undefined,
    debug: false,
    trace: false,
    // Ours is shorter, and holds no process open.
    connectTimeout: 0,
    clientFlags: (config.clientFlags ?? 0) & ~LOCAL_FILES & ~MULTI_STATEMENTS,
    multipleStatements: false,
    namedPlaceholders: false,
    queryFormat: undefined,
    infileStreamFactory: undefined,
    connectAttributes: { ...config.connectAttributes, program_name: NAME },
    rowsAsArray: true,
    nestTables: undefined,
    typeCast: true,
    jsonStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
}

const streamOf = ({ stream }: OwnConnection) => stream;

function sessionOf(connection: OwnConnection, { query, execute }: OwnMethods): OwnSession {
  const send = (method: Connection["query"], sql: string, values?: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const callback = (error: unknown, rows: unknown): void => (error ? reject(error as Error) : resolve(rows));
      method.call(connection, { sql, rowsAsArray: true }, values, callback);
    });
  return {
    system: systemOf(connection),
    version: String(connection._handshakePacket?.serverVersion),
    async ask(text, values = []) {
      const rows = (await send(execute, text, values)) as readonly (readonly unknown[])[];
      return rows.map((row) => row.map((value) => (value === null ? null : String(value))));
    },
    async run(text) {
      await send(query, text, []);
    },
  };
}

function meaningOf(error: unknown): string | undefined {
  const { errno } = error as { errno?: unknown };
  // MariaDB's time-out, MySQL's, and what either says where it noticed late.
  if (errno === 1969 || errno === 3024 || errno === 1317) return "its planning took too long";
  if (errno === 1205) return "its tables are locked";
  return undefined;
}
