export { mongodbInstrumentation } from "./mongodb.js";
