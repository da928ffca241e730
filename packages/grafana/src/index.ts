export { createDashboards } from "./dashboards.js";
export { createFiles, EXAMPLES, type FilesOptions } from "./files.js";
export { DEFAULT_URLS, type Urls } from "./provisioning.js";
export { createRules } from "./rules.js";
export { DEFAULT_SLO, readSlo, type Slo, SloError, writeSlo } from "./slo.js";
