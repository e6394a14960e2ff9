import { defineConfig } from "vitest/config";

// `*.test.mjs` are run by node's own test runner, against the built Rust core.
export default defineConfig({ test: { include: ["{packages,apps}/*/test/**/*.test.ts"], environment: "node" } });
