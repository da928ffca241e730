// For functions whose code is to stay as it is: the handler `node_modules/telltale/lambda-handler.handler` is the one that
// TELLTALE_LAMBDA_HANDLER names, wrapped.
import { loadHandler } from "./dist/lambda/index.cjs";

export const handler = await loadHandler();
