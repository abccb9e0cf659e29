import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds the running product.
const product = "http://127.0.0.1:8000";

export default defineConfig({
  base: "/static/studio/",
  plugins: [vue()],
  resolve: { alias: { "@": new URL("./src", import.meta.url).pathname } },
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __VUE_I18N_FULL_INSTALL__: "false",
    __INTLIFY_PROD_DEVTOOLS__: "false",
  },
  build: {
    manifest: true,
    // A data: URI is an image source that the page's policy need not allow for our own files.
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/api": product,
      "/ws": { target: product, ws: true },
    },
  },
  test: {
    environment: "jsdom",
    include: ["tests/unit/**/*.test.ts"],
  },
});
