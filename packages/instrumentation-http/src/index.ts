export { expressInstrumentation } from "./express.js";
export { httpInstrumentation, type HttpInstrumentationOptions } from "./http.js";
export { ignoreServer } from "./source-server.js";
