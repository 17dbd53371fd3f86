/**
 * A scan's header, and the books on a file's scans: how many there were, and which bits of which coefficients are known.
 * Source: ITU-T T.81, B.2.3 and G.1; what is refused and what goes through: libjpeg-turbo jdinput.c and jdphuff.c.
 */
import { corrupt, failTruncated, type JpegFrame } from "./jpeg-frame.ts";

/** One component of a scan: its index in the frame and its Huffman tables, which need not be there if not used. */
export interface ScanComponent {
  readonly index: number;
  readonly dc: number;
  readonly ac: number;
}

/** A scan's header (SOS): coefficients [first, last] in zigzag order, bits [low, high) of them; high 0: from the top. */
export interface JpegScan {
  readonly components: readonly ScanComponent[];
  readonly first: number;
  readonly last: number;
  readonly high: number;
  readonly low: number;
}

/** More scans than any encoder writes (progressive files have about ten); each costs a pass over all blocks. */
const MAX_SCANS = 256;
/** The standard's limit, which libjpeg keeps to. */
const MAX_BLOCKS_PER_UNIT = 10;
/** Larger shifts leave nothing of 16 bits. */
const MAX_LOW = 13;
const COEFFICIENTS = 64;

/** Reads the body of an SOS segment. Throws code "format". */
export function readScan(frame: JpegFrame, body: Uint8Array, where: string): JpegScan {
  const count = body[0];
  if (body.length !== 4 + 2 * count || count < 1 || count > 4) {
    corrupt(where, "scan headers of 1 to 4 components", `${count} components in ${body.length} bytes`);
  }
  const components: ScanComponent[] = [];
  for (let i = 1; i < 1 + 2 * count; i += 2) {
    const index = frame.components.findIndex((c) => c.id === body[i]);
    if (index < 0 || components.some((c) => c.index === index)) {
      corrupt(where, "scans of the frame's components, each once", `component ${body[i]}`);
    }
    components.push({ index, dc: body[i + 1] >> 4, ac: body[i + 1] & 15 });
  }
  const blocks = components.reduce(
    (sum, { index }) => sum + frame.components[index].h * frame.components[index].v,
    0,
  );
  if (count > 1 && blocks > MAX_BLOCKS_PER_UNIT) {
    corrupt(where, `at most ${MAX_BLOCKS_PER_UNIT} blocks in a coding unit`, `${blocks}`);
  }
  // A sequential scan is always of everything: some encoders leave these fields zero.
  if (!frame.progressive) return { components, first: 0, last: COEFFICIENTS - 1, high: 0, low: 0 };
  const [first, last, bits] = body.subarray(1 + 2 * count);
  const scan = { components, first, last, high: bits >> 4, low: bits & 15 };
  const band = first === 0 ? last === 0 : first <= last && last < COEFFICIENTS && count === 1;
  if (!band) corrupt(where, "scans of one band of coefficients", `${first}..${last} for ${count} components`);
  if (scan.low > MAX_LOW || (scan.high !== 0 && scan.low !== scan.high - 1)) {
    corrupt(where, "scans of one bit after the other", `bits ${scan.low} to ${scan.high}`);
  }
  return scan;
}

/** The scans of one frame. */
export class ScanLedger {
  readonly #frame: JpegFrame;
  readonly #where: string;
  /** For each component and coefficient the lowest bit that has been sent, or -1. */
  readonly #known: readonly Int8Array[];
  /** The same before the last scan of that component. */
  readonly #knownBefore: readonly Int8Array[];
  #scans = 0;

  constructor(frame: JpegFrame, where: string) {
    this.#frame = frame;
    this.#where = where;
    this.#known = frame.components.map(() => new Int8Array(COEFFICIENTS).fill(-1));
    this.#knownBefore = frame.components.map(() => new Int8Array(COEFFICIENTS).fill(-1));
  }

  /** Enters a scan. */
  add({ components, first, last, low }: JpegScan): void {
    this.#scans++;
    if (this.#scans > MAX_SCANS) corrupt(this.#where, `at most ${MAX_SCANS} scans`, "more");
    for (const { index } of components) {
      const known = this.#known[index];
      // QUIRK: libjpeg takes everything for known before the first scan.
      if (this.#scans > 1) this.#knownBefore[index].set(known);
      else this.#knownBefore[index].fill(0);
      known.fill(low, first, last + 1);
    }
  }

  /**
   * Refuses a scan that is longer than all bytes that are left, at the very least that its blocks take: a header can
   * declare a hundred megapixels in twenty bytes, and this is what finds out before anything is allocated.
   */
  requireBytes(scan: JpegScan, bytesLeft: number): void {
    // The shortest code is one bit: a sequential block is a DC code and an end of block; a progressive DC scan has one
    // bit a block; an AC scan can skip 32767 blocks at once, which is no bound worth having.
    const bitsPerBlock = this.#frame.progressive ? (scan.first === 0 ? 1 : 0) : 2;
    const least = Math.max(1, Math.ceil((this.#countBlocks(scan) * bitsPerBlock) / 8));
    if (bytesLeft >= least) return;
    const expected = `at least ${least} bytes of coded data in scan ${this.#scans}`;
    failTruncated(this.#where, expected, `${bytesLeft}`);
  }

  /** The components of which no scan came. */
  countMissing(): number {
    return this.#known.filter((bits) => bits[0] < 0).length;
  }

  /** Whether every bit of every coefficient has come. */
  isComplete(): boolean {
    return this.#known.every((bits) => bits.every((bit) => bit === 0));
  }

  /** i8 [2][4][10]: the lowest known bits of the first ten coefficients, then what they were a scan before. */
  knownBits(): Int8Array {
    const out = new Int8Array(80);
    this.#known.forEach((bits, i) => {
      out.set(bits.subarray(0, 10), i * 10);
      out.set(
        this.#scans > 1 ? this.#knownBefore[i].subarray(0, 10) : new Int8Array(10).fill(-1),
        40 + i * 10,
      );
    });
    return out;
  }

  #countBlocks({ components: parts }: JpegScan): number {
    const { width, height, components, maxH, maxV } = this.#frame;
    if (parts.length === 1) {
      const { h, v } = components[parts[0].index];
      return Math.ceil((width * h) / maxH / 8) * Math.ceil((height * v) / maxV / 8);
    }
    const units = Math.ceil(width / (8 * maxH)) * Math.ceil(height / (8 * maxV));
    return units * parts.reduce((sum, { index }) => sum + components[index].h * components[index].v, 0);
  }
}
