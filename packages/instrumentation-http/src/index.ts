export { expressInstrumentation } from "./express.js";
export { httpInstrumentation, type HttpInstrumentationOptions } from "./http.js";
export { ignoreServer, type PathFilter } from "./source-server.js";
