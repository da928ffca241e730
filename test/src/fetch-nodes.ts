import { testNodes } from "./servers/index.js";

/** Before the first test, once, so that test files running side by side do not each download the same Node. */
export async function setup(): Promise<void> {
  await testNodes();
}
