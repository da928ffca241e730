import type { PoolCall } from "@telltale/core";

/** Where the part for mssql's pools and the part for tedious' connections meet. */
export interface PoolLink {
  /** Set while a pool hands a connection over to the request that waited for it; the first that runs on the connection takes it. */
  handedOver: PoolCall | undefined;
}
