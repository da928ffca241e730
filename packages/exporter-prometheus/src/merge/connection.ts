import type { Socket } from "node:net";
import { startTimer, stopTimer } from "@telltale/core";
import { FrameReader, NO_WORDS, packFrame } from "./frames.js";
import type { Message } from "./report.js";
import type { Turns } from "./turns.js";

/** One end of a connection between two processes. Nothing of it keeps the process alive, but for what is just being written. */
export class Connection {
  private readonly socket: Socket;
  private writing = 0;
  private whenTaken: (() => void)[] = [];

  /** `heard` gets the messages one by one; `closed` comes once, when all that arrived has been heard. */
  constructor(
    socket: Socket,
    turns: Turns,
    heard: (message: Message, words: Float64Array) => void,
    closed: () => void,
  ) {
    this.socket = socket.unref();
    const frames = new FrameReader();
    const failed = (): void => void socket.destroy();
    // Read at once, not when its turn comes: what waits in a socket that is closed is lost.
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const { head, words } of frames.read(chunk)) turns.add(() => heard(head as Message, words), failed);
      } catch {
        failed();
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => turns.add(closed, () => {}));
  }

  /** Bytes that the system has not taken. */
  get waiting(): number {
    return this.socket.writableLength;
  }

  /** What the system takes is on its way even if this process is killed in the next moment. */
  send(message: Message, words: Float64Array = NO_WORDS): void {
    this.writing++;
    this.socket.write(packFrame(message, words), () => {
      if (--this.writing > 0) return;
      for (const call of this.whenTaken.splice(0)) call();
    });
  }

  /** Waits until the system has taken all, or the other end is gone; false where that lasts longer. */
  taken(limitMs: number): Promise<boolean> {
    if (this.writing === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = startTimer(() => resolve(false), limitMs).unref();
      this.whenTaken.push(() => {
        stopTimer(timer);
        resolve(true);
      });
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
