// Stops the build with one clear line when the Rust core has not been built.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const CORE = fileURLToPath(new URL("../../../packages/core/src/chainflix.wasm", import.meta.url));

export function corePresent(): Plugin {
  return {
    name: "chainflix-core-present",
    buildStart() {
      if (!existsSync(CORE)) this.error("packages/core/src/chainflix.wasm is missing: build it first with `cargo xtask wasm`");
    },
  };
}
