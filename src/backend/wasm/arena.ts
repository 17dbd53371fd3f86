/**
 * The allocator of the shared memory: 64-byte aligned blocks, best fit, neighbours merged when they are freed. Which
 * addresses it gives depends on the order of the calls alone. It keeps its books on the JavaScript heap; addresses are
 * plain numbers up to 4 GiB. The memory grows when nothing fits.
 */
import { fail } from "../../errors.ts";

const PAGE_BYTES = 65536;
const ALIGNMENT_BYTES = 64;
const MAX_GROWTH_BYTES = 64 * 1024 * 1024; // beyond what is needed, at once

/** Hands out parts of a WebAssembly memory from `base` on. */
export class Arena {
  readonly #memory: WebAssembly.Memory;
  readonly #maxBytes: number;
  /** Free blocks by address. */
  readonly #starts: number[] = [];
  readonly #sizes: number[] = [];
  readonly #taken = new Map<number, number>();
  #end: number;
  #inUse = 0;

  /** `maxBytes` bounds the whole memory, what lies below `base` included. */
  constructor(memory: WebAssembly.Memory, base: number, maxBytes: number) {
    this.#memory = memory;
    this.#maxBytes = maxBytes;
    this.#end = memory.buffer.byteLength;
    const start = roundUp(base, ALIGNMENT_BYTES);
    if (this.#end > start) this.#insert(start, this.#end - start);
  }

  /** Bytes handed out and not yet freed, rounded up to the alignment. */
  get bytesInUse(): number {
    return this.#inUse;
  }

  /** Bytes of the memory as it has grown so far. */
  get bytesReserved(): number {
    return this.#end;
  }

  /** Blocks handed out. */
  get blocks(): number {
    return this.#taken.size;
  }

  /** Address of a new block; its contents are undefined. An error of code "memory" where the limit is met. */
  allocate(bytes: number): number {
    const need = roundUp(Math.max(bytes, 1), ALIGNMENT_BYTES);
    let best = this.#bestFit(need);
    if (best < 0) {
      this.#grow(need);
      best = this.#bestFit(need);
    }
    const address = this.#starts[best];
    if (this.#sizes[best] === need) {
      this.#starts.splice(best, 1);
      this.#sizes.splice(best, 1);
    } else {
      this.#starts[best] += need;
      this.#sizes[best] -= need;
    }
    this.#taken.set(address, need);
    this.#inUse += need;
    return address;
  }

  /** Gives a block back. */
  free(address: number): void {
    const size = this.#taken.get(address);
    if (size === undefined) fail("state", "arena", "the address of a block", `${address}`);
    this.#taken.delete(address);
    this.#inUse -= size;
    this.#insert(address, size);
  }

  #bestFit(need: number): number {
    let best = -1;
    for (let i = 0; i < this.#sizes.length; i++) {
      const size = this.#sizes[i];
      if (size === need) return i;
      if (size > need && (best < 0 || size < this.#sizes[best])) best = i;
    }
    return best;
  }

  /** Adds a free block and merges it with its neighbours. */
  #insert(start: number, size: number): void {
    const starts = this.#starts;
    const sizes = this.#sizes;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] < start) low = middle + 1;
      else high = middle;
    }
    const joinsNext = low < starts.length && start + size === starts[low];
    const joinsPrevious = low > 0 && starts[low - 1] + sizes[low - 1] === start;
    if (joinsPrevious) {
      sizes[low - 1] += size + (joinsNext ? sizes[low] : 0);
      if (joinsNext) {
        starts.splice(low, 1);
        sizes.splice(low, 1);
      }
    } else if (joinsNext) {
      starts[low] = start;
      sizes[low] += size;
    } else {
      starts.splice(low, 0, start);
      sizes.splice(low, 0, size);
    }
  }

  /** Grows the memory so that `need` bytes fit at its end: by a quarter where that is allowed, else by what is needed. */
  #grow(need: number): void {
    const last = this.#starts.length - 1;
    const tail = last >= 0 && this.#starts[last] + this.#sizes[last] === this.#end ? this.#sizes[last] : 0;
    const least = roundUp(need - tail, PAGE_BYTES);
    const generous = roundUp(Math.min(this.#end / 4, MAX_GROWTH_BYTES), PAGE_BYTES);
    for (const bytes of generous > least ? [generous, least] : [least]) {
      if (this.#end + bytes > this.#maxBytes) continue;
      try {
        this.#memory.grow(bytes / PAGE_BYTES);
      } catch {
        continue; // the engine or the system has no more
      }
      this.#insert(this.#end, bytes);
      this.#end += bytes;
      return;
    }
    fail(
      "memory",
      "WASM memory",
      `room for ${need} more bytes within ${this.#maxBytes}`,
      `${this.#inUse} bytes in use of ${this.#end}`,
      "use a smaller input or batch, dispose of tensors that are no longer needed, or raise maxMemoryBytes (at most 4 GiB)",
    );
  }
}

function roundUp(n: number, step: number): number {
  return Math.ceil(n / step) * step;
}
