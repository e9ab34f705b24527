import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

/** The page waits for its script before it paints: it is empty without, and a remembered theme would flash. */
const renderBlocking: Plugin = {
  name: "render-blocking",
  enforce: "post",
  transformIndexHtml: (html) => html.replace('<script type="module"', '<script type="module" blocking="render"'),
};

export default defineConfig({
  plugins: [svelte({ configFile: false }), renderBlocking],
  build: {
    outDir: "../roundtable/edge/web",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // the server's policy allows no data: fonts
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: { "/v1": process.env.ROUNDTABLE ?? "http://127.0.0.1:8420" },
  },
});
