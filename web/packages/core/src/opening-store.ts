// Keeps proved plays and their openings over a reload, in the browser's own database, until they are settled.
//
// What is kept is ciphertext of a few chunks and a signature: nothing that opens a film or spends a coin.

import { type DBSchema, type IDBPDatabase, openDB } from "idb";
import type { PlayId } from "./nouns";
import type { ProvedPlay } from "./settling";

/** A proved play, with the signed opening that answers an audit of it (JSON, as it is handed in). */
export interface KeptPlay extends ProvedPlay {
  readonly opening: Uint8Array<ArrayBuffer>;
}

interface PlaysSchema extends DBSchema {
  proved: { key: PlayId; value: KeptPlay };
}

/** Where proved plays are kept. */
export interface OpeningStore {
  all(): Promise<KeptPlay[]>;
  put(play: KeptPlay): Promise<void>;
  delete(play: PlayId): Promise<void>;
}

/** The browser's IndexedDB. */
export function browserOpenings(): OpeningStore {
  let database: Promise<IDBPDatabase<PlaysSchema>> | undefined;
  const open = () => (database ??= openDB<PlaysSchema>("chainflix-plays", 1, { upgrade: (db) => void db.createObjectStore("proved", { keyPath: "play" }) }));
  return {
    all: async () => (await open()).getAll("proved"),
    put: async (play) => void (await (await open()).put("proved", play)),
    delete: async (play) => (await open()).delete("proved", play),
  };
}
