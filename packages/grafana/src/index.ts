export { METRICS as metrics } from "@telltale/core";
