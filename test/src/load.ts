import { get } from "node:http";

/** What a load driver got, by the process that answered. */
export interface Load {
  /** Answers by process id, all of them counted by that process. */
  readonly answers: ReadonlyMap<number, number>;
  /** Requests that got no answer: they may have been counted, or not. */
  failures(): number;
  all(): number;
  /** Ends it, when the requests under way have ended. */
  stop(): Promise<void>;
}

/** Sends requests over so many connections, each for one request, as fast as they are answered. */
export function startLoad(url: string, connections: number): Load {
  const answers = new Map<number, number>();
  let failures = 0;
  const state = { isRunning: true };
  const drivers = Array.from({ length: connections }, async () => {
    while (state.isRunning) {
      const pid = await request(url);
      if (pid === undefined) failures++;
      else answers.set(pid, (answers.get(pid) ?? 0) + 1);
    }
  });
  return {
    answers,
    failures: () => failures,
    all: () => [...answers.values()].reduce((sum, one) => sum + one, 0),
    async stop() {
      state.isRunning = false;
      await Promise.all(drivers);
    },
  };
}

/** The process that answered; undefined where none did. */
export function request(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const failed = (): void => {
      // A port that refuses at once would be asked ten thousand times a second.
      setTimeout(() => resolve(undefined), 5);
    };
    // A worker that leaves may be handed a connection that it never looks at, with and without Telltale.
    get(url, { agent: false, timeout: 1_500 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(Number(text))).on("error", failed);
    })
      .on("error", failed)
      .on("timeout", function destroy(this: { destroy(): void }) {
        this.destroy();
      });
  });
}
