// Writes crates/contracts/artifacts from the Solidity sources; with `--check` only compares, and exits with 1 on a
// difference. The build is deterministic: pinned compiler, no metadata hash, no paths in the bytecode.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const contracts = fileURLToPath(new URL("..", import.meta.url));
const artifacts = fileURLToPath(new URL("../../crates/contracts/artifacts/", import.meta.url));

/** What forge made of one contract, without what differs between machines and runs (paths, syntax tree ids). */
function compiled(name) {
  const output = JSON.parse(readFileSync(`${contracts}/out/${name}.sol/${name}.json`, "utf8"));
  if (Object.keys(output.deployedBytecode.linkReferences).length > 0) throw new Error(`${name} needs linking`);
  if (Object.keys(output.deployedBytecode.immutableReferences ?? {}).length > 0) {
    throw new Error(`${name} has immutables: genesis runs no constructor that could fill them in`);
  }
  return {
    contract: name,
    compiler: output.metadata.compiler.version,
    evmVersion: output.metadata.settings.evmVersion,
    abi: output.abi,
    methodIdentifiers: output.methodIdentifiers,
    storage: output.storageLayout.storage.map(({ label, slot, offset, type }) => ({
      label,
      slot: Number(slot),
      offset,
      type: output.storageLayout.types[type].label,
    })),
    deployedBytecode: output.deployedBytecode.object,
  };
}

/** File name to text. The bytecode comes a second time on its own, because Rust embeds it when it compiles. */
function generated() {
  // Run by npm, so that `forge` on the path is the pinned one.
  execFileSync("forge", ["build", "--force", "--quiet"], { cwd: contracts, stdio: "inherit" });
  const files = {};
  for (const contract of ["Registry", "Standing"].map(compiled)) {
    files[`${contract.contract}.json`] = `${JSON.stringify(contract, null, 2)}\n`;
    files[`${contract.contract}.runtime.hex`] = contract.deployedBytecode.replace(/^0x/, "");
  }
  return files;
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

const check = process.argv.includes("--check");
const stale = [];
for (const [file, text] of Object.entries(generated())) {
  const path = artifacts + file;
  if (read(path) === text) continue;
  stale.push(file);
  if (!check) {
    mkdirSync(artifacts, { recursive: true });
    writeFileSync(path, text);
  }
}
const list = stale.join(", ");
if (check && stale.length > 0) {
  console.error(`crates/contracts/artifacts differs from the Solidity sources (${list}): run \`npm run generate\``);
  process.exitCode = 1;
} else {
  console.log(stale.length > 0 ? `written: ${list}` : "crates/contracts/artifacts is up to date");
}
