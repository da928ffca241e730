import { VERSION } from "@telltale/core";
import { readSources } from "./api/status.js";
import { serveApi } from "./serve/api.js";
import { createLive } from "./serve/live.js";
import { handleAll, handleOtlpOnly, type Part } from "./serve/handle.js";
import { listen, type Listening, PortTakenError } from "./serve/listen.js";
import { findPages, readPages } from "./serve/pages.js";
import { createReceiver } from "./receive/create-receiver.js";
import type { StoreLimits } from "./store/limits.js";
import { openStore, type Store } from "./store/open-store.js";

export { PortTakenError } from "./serve/listen.js";

const PORT = 4319;
/** Where exporters look for a collector. */
const OTLP_PORT = 4318;

export interface ViewerOptions {
  /** Of the pages, the API, and OTLP as well; 0 for any that is free. Default 4319. */
  readonly port?: number;
  /** Of OTLP alone, as exporters expect it; 0 for any that is free. Default 4318. */
  readonly otlpPort?: number;
  /** Whether a default port that is taken is given up for any that is free; one that is named never is. Default false: it is an error. */
  readonly takesOtherPorts?: boolean;
  /** The address or name to listen on. Default: this machine only. */
  readonly host?: string;
  /** Where to keep what comes. Default: in memory, gone with the process. */
  readonly file?: string;
  /** How much is kept at most; the oldest goes first. Default: 500,000 spans and points, 200,000 logs, 512 MB. */
  readonly limits?: Partial<StoreLimits>;
}

export interface Viewer {
  /** Of the pages: `http://localhost:4319`. */
  readonly url: string;
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`: `http://localhost:4318`. */
  readonly otlpUrl: string;
  readonly store: Store;
  close(): Promise<void>;
}

/**
 * Receives OTLP and shows it, on this machine only unless `host` is named.
 * @throws PortTakenError when a port is taken and `takesOtherPorts` is not set
 */
export async function startViewer(options: ViewerOptions = {}): Promise<Viewer> {
  const { host, takesOtherPorts = false } = options;
  const startedMs = Date.now();
  const live = createLive();
  const folder = findPages();
  const pages = folder === undefined ? undefined : readPages(folder);
  const store = await openStore(options.file);
  const receiver = createReceiver(store, { limits: options.limits ?? {}, onChange: live.tell });
  const open: Listening[] = [];
  const close = async (): Promise<void> => {
    live.close();
    await Promise.all(open.map((one) => one.close()));
    await receiver.close();
    store.close();
  };
  try {
    const receive: Part = receiver.handle;
    const otlp = await listenOr(handleOtlpOnly(receive, host), options.otlpPort, OTLP_PORT, host, takesOtherPorts);
    open.push(otlp);
    const otlpUrl = urlOf(host, otlp.port);
    const api = serveApi(store, () => ({
      version: VERSION,
      startedMs,
      file: options.file ?? null,
      otlpUrl,
      ...receiver.counters(),
      sources: readSources(store),
    }));
    const all = await listenOr(
      handleAll({ receive, api, live, pages }, host),
      options.port,
      PORT,
      host,
      takesOtherPorts,
    );
    open.push(all);
    return { url: urlOf(host, all.port), otlpUrl, store, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function listenOr(
  listener: Parameters<typeof listen>[0],
  asked: number | undefined,
  usual: number,
  host: string | undefined,
  takesOtherPorts: boolean,
): Promise<Listening> {
  try {
    return await listen(listener, asked ?? usual, host);
  } catch (error) {
    if (takesOtherPorts && asked === undefined && error instanceof PortTakenError) return listen(listener, 0, host);
    throw error;
  }
}

function urlOf(host: string | undefined, port: number): string {
  const name = host === undefined || host === "0.0.0.0" || host === "::" ? "localhost" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}
