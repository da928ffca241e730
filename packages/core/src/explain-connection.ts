import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { suppress } from "./request.js";
import { startTimer, stopTimer } from "./timers.js";

/** From the first packet to the last, in ms; then the connection is cut. */
const LIMIT_MS = 5_000;
/** A server that does not answer a goodbye is left: its stream is destroyed after so many ms, and nobody waits after so many more. */
const GOODBYE_MS = 100;

/** Why a query is not explained, in words that may be shown. */
export class NotExplained extends Error {
  override readonly name = "NotExplained";
}

/** What the connections of drivers have in common. */
interface Connectable {
  connect(callback: (error: unknown) => void): void;
  end(callback: () => void): void;
  on(event: "error", listener: () => void): unknown;
}

/** How a driver's connection is made and read. */
export interface OwnConnection<Connection extends Connectable> {
  /** Makes one, which is not open yet; it may throw. */
  create(): Connection;
  /** What is under it: another one once there is TLS. */
  streamOf(connection: Connection): { destroy(): void; unref?(): void };
  /** What an error of the driver's means, without the server's own words, which quote values; undefined for any that is not known. */
  meaningOf(error: unknown): string | undefined;
}

/**
 * Opens a connection of Telltale's own for some work, and closes it whatever comes. It is neither traced nor counted, and holds no process open.
 * Rejects with `NotExplained`.
 */
export async function workOnOwnConnection<Connection extends Connectable, Result>(
  driver: OwnConnection<Connection>,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const { create, streamOf, meaningOf } = driver;
  return context.with(suppress(ROOT_CONTEXT), async () => {
    let connection: Connection | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      const own = (connection = create());
      // What matters of them comes back to whoever waits.
      own.on("error", () => {});
      timer = startTimer(() => streamOf(own).destroy(), LIMIT_MS).unref();
      await openQuietly(own, streamOf);
      return await work(own);
    } catch (error) {
      if (error instanceof NotExplained) throw error;
      throw new NotExplained(meaningOf(error) ?? `EXPLAIN failed${codeOf(error)}`);
    } finally {
      stopTimer(timer);
      if (connection !== undefined) await close(connection, streamOf);
    }
  });
}

async function openQuietly<Connection extends Connectable>(
  connection: Connection,
  streamOf: OwnConnection<Connection>["streamOf"],
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) =>
      error ? reject(new NotExplained(`no connection for it${codeOf(error)}`)) : resolve(),
    );
    streamOf(connection).unref?.();
  });
  streamOf(connection).unref?.();
}

async function close<Connection extends Connectable>(
  connection: Connection,
  streamOf: OwnConnection<Connection>["streamOf"],
): Promise<void> {
  const cut = startTimer(() => streamOf(connection).destroy(), GOODBYE_MS).unref();
  await new Promise<void>((resolve) => {
    const late = startTimer(resolve, 2 * GOODBYE_MS).unref();
    connection.end(() => {
      stopTimer(late);
      resolve();
    });
  });
  stopTimer(cut);
  streamOf(connection).destroy();
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^\w{1,40}$/.test(code) ? ` (${code})` : "";
}
