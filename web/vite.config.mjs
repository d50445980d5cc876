import { defineConfig } from "vite";
import { licences } from "./licences.mjs";

// The daemon that `npm run dev` and `npm run preview` show.
const daemon = process.env.PEERMON_API ?? "http://127.0.0.1:19811";
const proxy = { "/api": { target: daemon, changeOrigin: true } };

export default defineConfig({
  // The page's security policy allows no inline script; the browsers that can show it need no polyfill for preloading.
  build: { target: "es2022", modulePreload: { polyfill: false }, chunkSizeWarningLimit: 300 },
  // Names of JSX are as tsconfig.json says, which Vite reads.
  plugins: [licences("licences.txt")],
  server: { proxy },
  preview: { proxy },
});
