import { limitOf } from "@telltale/core";
import type { Payload, TediousConnection, TediousRequest } from "./driver.js";

// https://learn.microsoft.com/openspecs/windows_protocols/ms-tds
const SQL_BATCH = 0x01;
const RPC_REQUEST = 0x03;
const TRANSACTION_MANAGER = 0x0e;
const EXECUTE_SQL = 10;
const EXECUTE = 12;

/** What a request runs; undefined for what is not told of: preparing, and letting go of what was prepared. */
export function textOf(
  request: TediousRequest,
  packetType: number,
  payload: Payload,
  prepared: PreparedTexts,
): string | undefined {
  const { sqlTextOrProcedure: text } = request;
  if (packetType === TRANSACTION_MANAGER) return transactionOf(payload);
  if (typeof text !== "string") return undefined;
  if (packetType === SQL_BATCH) return text;
  if (packetType !== RPC_REQUEST) return undefined;
  if (typeof payload.procedure === "string") return prepared.textOf(request, text);
  return payload.procedure === EXECUTE_SQL || payload.procedure === EXECUTE ? text : undefined;
}

/** Statements that one connection may have open; beyond, their texts are forgotten. */
const MAX_PREPARED = 1_000;
const forgotten = limitOf("db.client.prepared");

/** Texts by handle. mssql prepares by calling the server's procedures itself, and then names what it executes by a number. */
export class PreparedTexts {
  readonly #texts = new Map<unknown, string>();
  readonly #heard = new WeakSet<TediousRequest>();

  /** What the call of a procedure runs. */
  textOf(request: TediousRequest, procedure: string): string | undefined {
    const handle = valueOf(request, "handle");
    if (procedure === "sp_prepare") {
      // It may prepare many times.
      if (!this.#heard.has(request)) {
        this.#heard.add(request);
        request.on?.("returnValue", (name, value) => this.#add(name, value, valueOf(request, "stmt")));
      }
      return undefined;
    }
    if (procedure === "sp_unprepare") {
      this.#texts.delete(handle);
      return undefined;
    }
    return (procedure === "sp_execute" ? this.#texts.get(handle) : undefined) ?? `EXEC ${procedure}`;
  }

  #add(name: unknown, handle: unknown, text: unknown): void {
    if (name !== "handle" || typeof text !== "string") return;
    if (this.#texts.size >= MAX_PREPARED) {
      forgotten.total += this.#texts.size;
      this.#texts.clear();
    }
    this.#texts.set(handle, text);
  }
}

function valueOf({ parameters = [] }: TediousRequest, wanted: string): unknown {
  return parameters.find(({ name }) => name === wanted)?.value;
}

/** The driver has it in bytes, and in words for its debug output: "Begin Transaction: name=…". */
function transactionOf(payload: Payload): string | undefined {
  const word = /^(Begin|Commit|Rollback|Save) /.exec(payload.toString())?.[1];
  return word === undefined ? undefined : `${word.toUpperCase()} TRANSACTION`;
}

/** Where quotes may stand for strings, nobody can tell values from names: of such a text only its first word is used. */
export function shownText(connection: TediousConnection, text: string): string {
  if (connection.config.options.enableQuotedIdentifier !== false || !text.includes('"')) return text;
  return /^\s*([a-z]+)/i.exec(text)?.[1] ?? "";
}

/** Values of a request's parameters. */
export function valuesOf({ parameters = [] }: TediousRequest): unknown[] | undefined {
  return parameters.length === 0 ? undefined : parameters.map(({ value }) => value);
}
