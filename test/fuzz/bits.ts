/** Writes bits, low ones first, as deflate has them. */
export class BitWriter {
  readonly #bytes: number[] = [];
  #count = 0;

  /** The lowest `count` bits of a value, from the lowest on. */
  put(value: number, count: number): void {
    for (let i = 0; i < count; i++) this.#bit((value >> i) & 1);
  }

  /** A code from its highest bit on; nothing where there is none. */
  code(code: readonly [code: number, length: number] | undefined): void {
    if (!code) return;
    for (let i = code[1] - 1; i >= 0; i--) this.#bit((code[0] >> i) & 1);
  }

  /** What was written, filled up with zeroes to whole bytes. */
  bytes(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes);
  }

  #bit(bit: number): void {
    if ((this.#count & 7) === 0) this.#bytes.push(0);
    this.#bytes[this.#bytes.length - 1] |= bit << (this.#count & 7);
    this.#count++;
  }
}
