export { tediousInstrumentation } from "./tedious.js";
