import { findServer } from "./find-server.js";
import { freePort } from "./free-port.js";
import { startReady, supervise } from "./supervise.js";

export interface AlertmanagerServer {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  log(): Promise<string>;
  stop(): Promise<void>;
}

const CONFIGURE_AND_RUN = `printf %s "$1" >alertmanager.yml && shift &&
exec "$@" --config.file=alertmanager.yml --storage.path=data --cluster.listen-address=`;

/** Starts an Alertmanager with this configuration (YAML). */
export async function startAlertmanager(config: string): Promise<AlertmanagerServer> {
  const program = await findServer("alertmanager");
  const { server, details: port } = await startReady("alertmanager", /Listening on|msg=Listening/, async () => {
    const port = await freePort();
    const address = `--web.listen-address=127.0.0.1:${port}`;
    const command = ["sh", "-c", CONFIGURE_AND_RUN, "sh", config, program, address];
    return { server: await supervise("alertmanager", command), details: port };
  });
  return { port, url: `http://127.0.0.1:${port}`, pid: server.pid, log: server.log, stop: server.stop };
}
