export { loadHandler } from "./load-handler.js";
export { wrapHandler } from "./wrap-handler.js";
