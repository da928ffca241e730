export { handOver } from "./hand-over.js";
export {
  type EsbuildPlugin,
  type RollupPlugin,
  telltaleEsbuild,
  telltaleRollup,
  telltaleWebpack,
  type WebpackPlugin,
} from "./plugins.js";
