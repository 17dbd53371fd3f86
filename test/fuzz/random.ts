/** Random numbers of a case: from its seed alone, so that any case can be made again. Generator: sfc32 (PractRand). */

/** Draws of one case. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #n = 1;

  /** Equal texts give equal draws. */
  constructor(seed: string) {
    let hash = 0x811c9dc5; // FNV-1a
    for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
    this.#a = hash;
    this.#b = hash ^ 0x9e3779b9;
    this.#c = hash ^ 0x243f6a88;
    for (let i = 0; i < 12; i++) this.word();
  }

  /** 0 .. 2^32 - 1. */
  word(): number {
    const t = (this.#a + this.#b + this.#n++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return t >>> 0;
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor((this.word() / 2 ** 32) * end);
  }

  /** One of several. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** True once in so many times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** Bytes without any order. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }

  /** Small mostly, now and then up to `most`. */
  size(most: number): number {
    return this.below(1 + this.below(1 + this.below(most + 1)));
  }
}
