export { expressInstrumentation } from "./express.js";
export { fastifyInstrumentation } from "./fastify.js";
export { hapiInstrumentation } from "./hapi.js";
export { honoInstrumentation } from "./hono.js";
export { httpInstrumentation, type HttpInstrumentationOptions } from "./http.js";
export { koaInstrumentation } from "./koa.js";
export { nextInstrumentation } from "./next.js";
export { type Incoming, IncomingDescription } from "./request-attributes.js";
export { ignoreServer } from "./source-server.js";
