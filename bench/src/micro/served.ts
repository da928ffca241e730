/** A request as the instrumentation of node:http reports it. */
export const served = {
  method: "GET",
  originalMethod: undefined,
  scheme: "http",
  path: "/item/7",
  query: undefined,
  serverAddress: "127.0.0.1",
  serverPort: 80,
  clientAddress: "127.0.0.1",
  userAgent: "bench",
  protocolVersion: "1.1",
} as const;
