import { PortTakenError, startViewer, type Viewer, type ViewerOptions } from "@telltale/viewer";
import { writeLine } from "../../stderr.js";
import { UsageError } from "../command.js";

/** Starts a viewer, or says what is to be done so that it can. */
export async function openViewer(options: ViewerOptions): Promise<Viewer> {
  if (options.host !== undefined) {
    writeLine(
      `telltale: --host ${options.host}: whoever reaches this machine there can read all that is sent to the viewer, and send to it`,
    );
  }
  try {
    return await startViewer(options);
  } catch (error) {
    throw explain(error, options);
  }
}

function explain(error: unknown, options: ViewerOptions): unknown {
  if (!(error instanceof Error)) return error;
  // Bundled apart, errors have classes of their own of that name.
  if (error.name === "PortTakenError") {
    const { port } = error as PortTakenError;
    const name = port === (options.otlpPort ?? 4318) ? "--otlp-port" : "--port";
    return new UsageError(
      `${error.message}, another viewer or a collector perhaps: end that, or choose one, such as ${name} ${port + 10}, or ${name} 0 for any that is free`,
    );
  }
  if (error.name === "StoreFileError") return new UsageError(`--file: ${error.message}`);
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return new UsageError(`--host must be an address of this machine, got ${JSON.stringify(options.host)}`);
  if (code === "EACCES") return new UsageError(`${error.message}: ports below 1024 are the system's; choose another`);
  return error;
}
