/** The backends that the same tests run on. */
import type { Backend } from "../src/backend/backend.ts";
import { referenceBackend } from "../src/backend/reference/reference.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.ts";

/** A backend and what test titles call it. */
export interface NamedBackend {
  readonly name: string;
  readonly backend: Backend;
  /** Ends its threads; call it when the tests are done. */
  readonly close: () => Promise<void>;
}

/** The reference backend, and WASM with one thread and with two. */
export function openBackends(): NamedBackend[] {
  const wasm = [1, 2].map((threads) => {
    const backend = createWasmBackend({ threads });
    return {
      name: `wasm, ${threads} thread${threads > 1 ? "s" : ""}`,
      backend,
      close: () => backend.close(),
    };
  });
  return [{ name: "reference", backend: referenceBackend, close: async () => {} }, ...wasm];
}
