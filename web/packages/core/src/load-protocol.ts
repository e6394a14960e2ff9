// Fetches the Rust core from the page's own origin.

import wasmUrl from "./chainflix.wasm?url";
import type { Protocol } from "./protocol";
import { loadCore } from "./wasm";

export async function loadProtocol(): Promise<Protocol> {
  return loadCore(await fetch(wasmUrl));
}
