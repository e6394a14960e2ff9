import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { corePresent } from "./vite/core-present.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Of the page tests: the worker gets a stand-in for the Rust core, so that they run without a network. */
const standIn = {
  name: "chainflix-stand-in-core",
  enforce: "pre" as const,
  resolveId: (id: string) => (id.endsWith("/load-protocol") ? here("./e2e/mock/protocol.ts") : undefined),
};

export default defineConfig(({ mode }) => {
  const mock = mode === "mock";
  return {
    plugins: [svelte(), mock ? standIn : corePresent()],
    worker: { format: "es", plugins: () => (mock ? [standIn] : []) },
    build: {
      target: "es2022",
      outDir: mock ? "dist-mock" : "dist",
      // The page's security policy allows no inline data.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
    server: { proxy: { "/api": "http://127.0.0.1:8080", "/rpc": "http://127.0.0.1:8080" } },
  };
});
