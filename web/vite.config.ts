import { defineConfig } from "vite";

// Where `npm run dev` and `npm run preview` find a daemon to show.
const daemon = "http://127.0.0.1:19811";
const proxy = { "/api": { target: daemon, changeOrigin: true } };

export default defineConfig({
  // The page's security policy allows no inline script; the browsers that can show it need no polyfill for preloading.
  build: { target: "es2022", modulePreload: { polyfill: false }, chunkSizeWarningLimit: 300 },
  server: { proxy },
  preview: { proxy },
});
