/** An address of another service that a text mentions. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const LOCAL = new Set(["127.0.0.1", "0.0.0.0", "localhost"]);

/** Every `host:port` in the values of a configuration, but for addresses of its own machine. */
export function findAddresses(value: unknown): Address[] {
  if (typeof value === "string") {
    return [...value.matchAll(/(?<![\w.:/-])(?:\w+:\/\/(?:\w+@)?)?([a-z][a-z0-9.-]*|[\d.]+):(\d{2,5})(?![\w.:])/g)]
      .map(([, host = "", port]) => ({ host, port: Number(port) }))
      .filter(({ host }) => !LOCAL.has(host));
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === "image" ? [] : findAddresses(inner)));
}
