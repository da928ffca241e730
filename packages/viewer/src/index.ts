export type * from "./api/answers.js";
export { PortTakenError, startViewer, type Viewer, type ViewerOptions } from "./start-viewer.js";
export { type McpOptions, serveMcp } from "./mcp/serve-mcp.js";
