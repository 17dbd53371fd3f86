/**
 * Keeps the books on a JPEG's scans: that they name components of the frame, that each holds at least the bytes that
 * its blocks take at the very least, and whether all of the picture has come. A header can declare a hundred
 * megapixels in twenty bytes; this is what refuses it before anything is allocated.
 * Source: ITU-T T.81, B.2.3, G.1.
 */
import { corrupt, failTruncated, type JpegFrame } from "./jpeg-frame.ts";

/** More scans than any encoder writes (progressive files have about ten); each costs a pass over all blocks. */
const MAX_SCANS = 256;
const COEFFICIENTS = 64;
const NEVER_CODED = 255;

/** The scans of one frame. */
export class ScanLedger {
  readonly #frame: JpegFrame;
  readonly #where: string;
  /** For each component and coefficient the lowest bit that has been sent, or NEVER_CODED. */
  readonly #lowestBit: readonly Uint8Array[];
  #scans = 0;

  constructor(frame: JpegFrame, where: string) {
    this.#frame = frame;
    this.#where = where;
    this.#lowestBit = frame.components.map(() => new Uint8Array(COEFFICIENTS).fill(NEVER_CODED));
  }

  /**
   * Enters a scan: its header (the body of SOS), the number of bytes of coded data behind it, the restart markers
   * counted in them and the restart interval in force (0: none).
   */
  add(header: Uint8Array, codedBytes: number, restarts: number, interval: number): void {
    const { components, progressive } = this.#frame;
    this.#scans++;
    if (this.#scans > MAX_SCANS) corrupt(this.#where, `at most ${MAX_SCANS} scans`, "more");
    const count = header[0];
    if (header.length !== 4 + 2 * count || count < 1 || count > 4) {
      corrupt(
        this.#where,
        "scan headers of 1 to 4 components",
        `${count} components in ${header.length} bytes`,
      );
    }
    const [first, last, bits] = header.subarray(1 + 2 * count);
    if (
      progressive &&
      (first > last || last >= COEFFICIENTS || (first === 0) !== (last === 0) || (first > 0 && count > 1))
    ) {
      corrupt(this.#where, "scans of one band of coefficients", `${first}..${last} for ${count} components`);
    }
    const indices: number[] = [];
    for (let i = 0; i < count; i++) {
      const id = header[1 + 2 * i];
      const index = components.findIndex((c) => c.id === id);
      if (index < 0) corrupt(this.#where, "scans of the frame's components", `component ${id}`);
      indices.push(index);
      if (progressive) this.#lowestBit[index].fill(bits & 15, first, last + 1);
      else this.#lowestBit[index].fill(0);
    }
    // The shortest code is one bit: a sequential block is a DC code and an end of block; a progressive DC scan has one
    // bit a block; an AC scan can skip 32767 blocks at once, which is no bound worth having.
    const bitsPerBlock = progressive ? (first === 0 ? 1 : 0) : 2;
    const { units, blocks } = this.#extent(indices);
    const least = Math.ceil((blocks * bitsPerBlock) / 8);
    if (codedBytes < Math.max(1, least)) {
      failTruncated(
        this.#where,
        `at least ${Math.max(1, least)} bytes of coded data in scan ${this.#scans}`,
        `${codedBytes}`,
      );
    }
    // The decoder takes any other marker in a restart's place for the end of the scan and leaves the rest grey.
    const wanted = interval > 0 ? Math.ceil(units / interval) - 1 : 0;
    if (restarts < wanted) {
      failTruncated(this.#where, `${wanted} restart markers in scan ${this.#scans}`, `${restarts}`);
    }
  }

  /** Refuses a picture that has a component of which no scan came. */
  requireEveryComponent(): void {
    const missing = this.#lowestBit.filter((bits) => bits[0] === NEVER_CODED).length;
    if (missing > 0) {
      const all = this.#frame.components.length;
      failTruncated(this.#where, `scans of all ${all} components`, `none for ${missing} of them`);
    }
  }

  /** Whether every bit of every coefficient has come. */
  complete(): boolean {
    return this.#lowestBit.every((bits) => bits.every((bit) => bit === 0));
  }

  /** The coding units of a scan and the blocks in them. */
  #extent(indices: readonly number[]): { units: number; blocks: number } {
    const { width, height, components } = this.#frame;
    const maxH = Math.max(...components.map((c) => c.h));
    const maxV = Math.max(...components.map((c) => c.v));
    if (indices.length === 1) {
      const { h, v } = components[indices[0]];
      const blocks = Math.ceil((width * h) / maxH / 8) * Math.ceil((height * v) / maxV / 8);
      return { units: blocks, blocks };
    }
    const units = Math.ceil(width / (8 * maxH)) * Math.ceil(height / (8 * maxV));
    return { units, blocks: units * indices.reduce((sum, i) => sum + components[i].h * components[i].v, 0) };
  }
}
