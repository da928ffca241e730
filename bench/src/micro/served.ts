import { getRequest } from "@telltale/test/requests";

/** A request as the instrumentation of node:http reports it. */
export const served = getRequest("/item/7", {
  serverAddress: "127.0.0.1",
  serverPort: 80,
  clientAddress: "127.0.0.1",
  userAgent: "bench",
});
