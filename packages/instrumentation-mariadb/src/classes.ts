import { EventEmitter } from "node:events";
import type { Command, Connection, Driver, Pool } from "./driver.js";

/** The prototypes of the classes that do the work, for the API with promises and the one with callbacks. */
export interface Classes {
  readonly connection: Connection;
  readonly command: Command;
  readonly pool: Pool;
}

/** Nothing is opened, and no timer started. */
const OPTIONS = { stream: () => {}, connectTimeout: 0, minimumIdle: 0, connectionLimit: 1, acquireTimeout: 0 };

const found = new WeakMap<object, Classes>();

/**
 * The driver exports none of its classes and keeps what it makes in private fields; newer releases are one file. All of them are emitters:
 * a connection and a pool are made, and the emitters looked at that come into being meanwhile.
 */
export function classesOf(exports: unknown): Classes {
  const driver = driverOf(exports);
  const known = found.get(driver);
  if (known !== undefined) return known;
  const emitters = emittersOf(() => {
    driver.createConnection(OPTIONS);
    driver.createPool(OPTIONS);
  });
  const classes = {
    connection: prototypeOf<Connection>(emitters, ["addCommandQueue", "addCommandEnable", "connect"]),
    command: prototypeOf<Command>(emitters, ["successEnd", "throwError", "throwUnexpectedError"]),
    pool: prototypeOf<Pool>(emitters, ["getConnection", "release", "_destroy"]),
  };
  found.set(driver, classes);
  return classes;
}

/** Of an ES module, and of a CommonJS one. */
function driverOf(exports: unknown): Driver {
  const { createConnection, default: inner } = exports as Partial<Driver> & { default?: unknown };
  return (createConnection === undefined ? inner : exports) as Driver;
}

function emittersOf(run: () => void): object[] {
  const holder = EventEmitter as unknown as { init: (this: object) => void };
  const { init } = holder;
  const made: object[] = [];
  holder.init = function (this: object): void {
    made.push(this);
    Reflect.apply(init, this, arguments);
  };
  try {
    run();
  } finally {
    holder.init = init;
  }
  return made;
}

/** The prototype that has these methods itself. */
function prototypeOf<Class extends object>(emitters: readonly object[], methods: readonly (keyof Class)[]): Class {
  for (const emitter of emitters) {
    for (let at = emitter; at !== null; at = Object.getPrototypeOf(at) as object) {
      if (methods.every((method) => Object.hasOwn(at, method))) return at as Class;
    }
  }
  throw new TypeError(`expected a class with ${methods.join(", ")}`);
}
