/**
 * The part of the WebAssembly JavaScript API that this package uses: neither TypeScript's `es2023` library nor Node 20's
 * types declare it. Source: WebAssembly JavaScript Interface, W3C.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: ArrayBufferView | ArrayBuffer);
  }

  class Instance {
    constructor(module: Module, imports?: object);
    readonly exports: Record<string, unknown>;
  }

  interface MemoryDescriptor {
    /** Pages of 64 KiB. */
    initial: number;
    maximum?: number;
    shared?: boolean;
  }

  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer | SharedArrayBuffer;
    /** Adds pages of 64 KiB and returns how many there were. */
    grow(pages: number): number;
  }
}
