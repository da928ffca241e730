export { keyvInstrumentation } from "./keyv.js";
export { memcachedInstrumentation } from "./memcached.js";
export { memjsInstrumentation } from "./memjs.js";
export { nodeCacheInstrumentation } from "./node-cache.js";
export { type MapLike, observeCache } from "./observe-cache.js";
