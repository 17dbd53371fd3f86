/** `mobiledetr/backend`: where tensors live and what computes on them. */
export type * from "./backend.ts";
export { createMetaBackend, type MetaBackend, metaBackend } from "./meta.ts";
export { referenceBackend } from "./reference/reference.ts";
export { withScope } from "./scope.ts";
export { availableThreads } from "./wasm/available-threads.ts";
export { createWasmBackend, type WasmBackend, type WasmBackendOptions } from "./wasm/wasm-backend.ts";
