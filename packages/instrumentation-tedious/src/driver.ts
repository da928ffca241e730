// The parts of tedious and mssql that are used, as types only.

export type Completed = (this: unknown, error?: unknown, rowCount?: unknown, rows?: unknown) => unknown;

/** A request, or what a bulk load is sent with. Its callback is called once each time that it has run. */
export interface TediousRequest {
  readonly sqlTextOrProcedure?: unknown;
  readonly parameters?: readonly { readonly name?: unknown; readonly value?: unknown }[];
  on?(event: "returnValue", listener: (name: unknown, value: unknown) => void): unknown;
  callback: Completed;
}

export interface BulkLoad {
  readonly table: string;
  callback: Completed;
}

/** Of a procedure its name; the number of one of the server's own. */
export interface Payload {
  readonly procedure?: string | number;
  toString(): string;
}

export interface TediousConnection {
  readonly config: {
    readonly server: string;
    readonly options: {
      readonly port?: number;
      readonly database?: string;
      readonly instanceName?: string;
      readonly enableQuotedIdentifier?: boolean;
    };
  };
  emit(event: string, ...values: unknown[]): boolean;
  execute(request: TediousRequest, parameters?: unknown): unknown;
  execBulkLoad(load: BulkLoad, rows?: unknown): unknown;
  /** All that is sent after the log-in goes through it. */
  makeRequest(request: TediousRequest | BulkLoad, packetType: number, payload: Payload): unknown;
}

export interface TediousDriver {
  readonly Connection: { readonly prototype: TediousConnection };
}

export interface TarnPool {
  readonly max: number;
  readonly min: number;
  readonly destroyed: boolean;
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
  numPendingCreates(): number;
  on(event: string, listener: (...values: never[]) => void): unknown;
  removeListener(event: string, listener: (...values: never[]) => void): unknown;
}

export type Acquired = (this: unknown, error: unknown, connection?: TediousConnection, config?: unknown) => unknown;

export interface MssqlPool {
  readonly config: { readonly server?: string; readonly port?: number; readonly database?: string };
  readonly pool: TarnPool | null | undefined;
  acquire(requester: unknown, callback?: Acquired): unknown;
  _acquire(): unknown;
  _poolValidate(connection: unknown): unknown;
}

export interface MssqlDriver {
  readonly ConnectionPool: { readonly prototype: MssqlPool };
}
