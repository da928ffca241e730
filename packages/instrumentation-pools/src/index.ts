export { genericPoolInstrumentation } from "./generic-pool.js";
export { sequelizePoolInstrumentation } from "./sequelize-pool.js";
export { tarnInstrumentation } from "./tarn.js";
