import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

// `npx vite packages/viewer/web` serves the pages as they are being written, with the API of a viewer that runs.
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2023",
    // The policy of the pages allows no data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { host: "127.0.0.1", proxy: { "/api": "http://127.0.0.1:4319" } },
});
