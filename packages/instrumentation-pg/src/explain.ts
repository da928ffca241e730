import { type DatabaseOperation, type Explainer, type ExplainJob, workOnOwnConnection } from "@telltale/core";
import type { ClientState } from "./client-state.js";
import type { Client, Query, Result } from "./driver.js";
import { recognizeSelect } from "./explain-safety.js";
import { type Connection, explainSelect } from "./explain-session.js";

const NAME = "telltale explain";

/** What is used of a client that is ours. */
interface OwnClient extends Client {
  binary: boolean;
  pipeline?: boolean;
  readonly connectionParameters: { application_name?: string };
  readonly connection: { readonly stream: { destroy(): void; unref?(): void } };
  on(event: "error", listener: () => void): void;
  connect(callback: (error: unknown) => void): void;
  end(callback: () => void): void;
}
type ClientClass = new (config: unknown) => OwnClient;
type QueryClass = new (config: object) => { requiresPreparation?(): boolean };

/**
 * Makes the explainers of clients. `query` is the driver's own method, as what is asked here is nobody's call; the class is the driver's own, too, as
 * an app's may do what it likes.
 */
export function createExplainers(
  prototype: Client,
  queryPrototype: Query,
  query: Client["query"],
): (client: Client, state: ClientState) => Explainer {
  const OwnClass = prototype.constructor as unknown as ClientClass;
  const isSupported = forcesExtended(queryPrototype);
  return (client, state) => ({
    prepare(operation: DatabaseOperation): ExplainJob | string {
      const { text, rows } = operation;
      if (text === undefined) return "its text is not known";
      if (!isSupported) return "this release of pg cannot send it alone";
      const select = recognizeSelect(text);
      if (typeof select === "string") return select;
      const config = state.poolOptions ?? plainConfig(client);
      if (config === undefined) return "how its connection was opened is not known";
      // What is held here until then is a text and numbers.
      return () =>
        workOnOwnConnection({ create: () => create(OwnClass, config), streamOf, meaningOf }, (client) =>
          explainSelect(connectionOf(client, query), text, select, rows),
        );
    },
  });
}

/** Whether `queryMode` is known, so that a text is sent as one statement or refused. */
function forcesExtended(queryPrototype: Query): boolean {
  const OwnQuery = queryPrototype.constructor as unknown as QueryClass;
  return new OwnQuery({ text: "SELECT 1", queryMode: "extended" }).requiresPreparation?.() === true;
}

/**
 * How a client that no pool made was opened, unless by a stream of the app's: then host and port may be no more than the defaults, and lead
 * somebody else's way.
 */
function plainConfig(client: Client): unknown {
  const { connection, connectionParameters, host, port } = client as Client & {
    readonly connectionParameters?: unknown;
    readonly connection?: { readonly stream?: { readonly remotePort?: number } };
  };
  const remotePort = connection?.stream?.remotePort;
  return remotePort === (host?.startsWith("/") ? undefined : port) ? connectionParameters : undefined;
}

function create(OwnClass: ClientClass, config: unknown): OwnClient {
  const client = new OwnClass(config);
  client.binary = false;
  client.pipeline = false;
  client.connectionParameters.application_name = NAME;
  return client;
}

const streamOf = ({ connection }: OwnClient) => connection.stream;

function connectionOf(client: OwnClient, query: Client["query"]): Connection {
  const send = (config: object): Promise<Result & { readonly rows?: readonly (readonly string[])[] }> =>
    new Promise((resolve, reject) => {
      const callback = (error: unknown, result: Result): void => (error ? reject(error as Error) : resolve(result));
      query.call(client, { ...config, rowMode: "array", types: AS_TEXT, callback });
    });
  return {
    async ask(text, values) {
      const { rows = [] } = await send({ text, values, queryMode: "extended" });
      return rows.map(([first = ""]) => first);
    },
    async run(text) {
      await send({ text });
    },
  };
}

/** Whatever parsers the app has set. */
const AS_TEXT = { getTypeParser: () => String };

function meaningOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  if (code === "57014") return "its planning took too long";
  if (code === "55P03") return "its tables are locked";
  return undefined;
}
