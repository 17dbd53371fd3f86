/**
 * The compiled decoder (assembly/jpeg), typed, with its memory. It is compiled when the first JPEG comes, and one instance
 * is kept as long as its memory is small: memory that has grown cannot be given back but with its instance.
 */
import type { instantiate as emitted } from "../../build/jpeg.js";
import { fail, messageOf } from "../errors.ts";
import type { JpegFrame } from "./jpeg-frame.ts";
import type { JpegColour } from "./jpeg-reader.ts";
import type { JpegScan } from "./jpeg-scan.ts";
import type { HuffmanSpecification } from "./jpeg-tables.ts";
import { readJpegModule } from "./read-jpeg-module.ts";

type Exports = Awaited<ReturnType<typeof emitted>>;

const PAGE_BYTES = 65536;
const MAX_PAGES = 65536;
/** Enough for sequential files of tens of megapixels, and for progressive ones of about four. */
const KEPT_BYTES = 32 * 2 ** 20;

/** Bits of {@link JpegDecoder.damage}. */
export const DATA_ENDED = 1;
export const RESTART_LOST = 2;
export const BAD_CODE = 4;
export const NO_MARKER = 8;

const COLOURS: readonly JpegColour[] = ["grey", "ycc", "rgb", "cmyk", "ycck"];

let compiled: WebAssembly.Module | null = null;
let kept: Exports | null = null;

/** Decodes one picture at a time; give it back by {@link release} when done, whatever came. */
export class JpegDecoder {
  readonly #exports: Exports;
  readonly #codedAt: number;
  readonly #codedEnd: number;
  readonly #rowBytes: number;
  readonly #quantised = new Set<number>();
  /** The Huffman tables that the module has, by kind and number. */
  readonly #built: (HuffmanSpecification | undefined)[] = [];

  /**
   * `coded`: the file from its first scan's data on. `keep`: several scans will be decoded before rows are asked for.
   * Throws code "memory".
   */
  constructor(frame: JpegFrame, coded: Uint8Array, keep: boolean, where: string) {
    const exports = take();
    this.#exports = exports;
    exports.clearWarnings();
    exports.beginFrame(frame.width, frame.height, frame.components.length, keep);
    frame.components.forEach(({ h, v }, i) => {
      exports.setComponent(i, h, v);
    });
    grow(exports, exports.layOut(coded.length), `${frame.width} x ${frame.height} pixels`, where);
    if (keep) exports.clearCoefficients();
    this.#codedAt = exports.inputAddress() >>> 0;
    this.#codedEnd = this.#codedAt + coded.length;
    this.#rowBytes = frame.width * 3;
    new Uint8Array(exports.memory.buffer).set(coded, this.#codedAt);
  }

  /** Whether a component has its quantisation table. */
  hasQuantiser(component: number): boolean {
    return this.#quantised.has(component);
  }

  /** Sets a component's quantisation table. */
  setQuantiser(component: number, table: Uint16Array): void {
    this.#quantised.add(component);
    new Uint16Array(this.#exports.memory.buffer, this.#exports.quantiser(component), 64).set(table);
  }

  /** Sets a Huffman table; false if it is none. */
  setHuffman(kind: 0 | 1, slot: number, table: HuffmanSpecification): boolean {
    const key = kind * 4 + slot;
    if (this.#built[key] === table) return true;
    const { memory, specificationAddress, buildTable } = this.#exports;
    new Uint8Array(memory.buffer).set(table, specificationAddress());
    this.#built[key] = table;
    return Boolean(buildTable(kind, slot));
  }

  /** Begins a scan whose data stands `offset` bytes behind that of the first. */
  beginScan(scan: JpegScan, progressive: boolean, offset: number, restartInterval: number): void {
    const { components, first, last, low } = scan;
    const kind = progressive ? (first === 0 ? 1 : 3) + (scan.high === 0 ? 0 : 1) : 0;
    const from = this.#codedAt + offset;
    components.forEach(({ index, dc, ac }, i) => {
      this.#exports.setScanComponent(i, index, dc, ac);
    });
    this.#exports.beginScan(from, this.#codedEnd, kind, components.length, first, last, low, restartInterval);
  }

  /** Decodes all of the scan; returns where it ended, as {@link beginScan} counts. */
  decodeScan(): number {
    this.#exports.decodeScan();
    return (this.#exports.scanEnd() >>> 0) - this.#codedAt;
  }

  /** Begins with the rows. `knownBits`: [2][4][10], from which missing coefficients may be estimated. */
  beginRows(colour: JpegColour, knownBits: Int8Array | null): void {
    const { memory, knownBitsAddress, beginOutput } = this.#exports;
    if (knownBits) new Int8Array(memory.buffer).set(knownBits, knownBitsAddress());
    beginOutput(COLOURS.indexOf(colour), knownBits !== null);
  }

  /** The next rows, RGB, in the decoder's own memory: good until the next call. */
  nextRows(): Uint8Array {
    const rows = this.#exports.nextRows();
    const at = this.#exports.outputAddress() >>> 0;
    return new Uint8Array(this.#exports.memory.buffer, at, rows * this.#rowBytes);
  }

  /** What was wrong with the data so far: bits of DATA_ENDED, RESTART_LOST, BAD_CODE; NO_MARKER of the last scan. */
  damage(): number {
    return this.#exports.warnings();
  }

  /** Gives the memory back. */
  release(): void {
    if (this.#exports.memory.buffer.byteLength <= KEPT_BYTES) kept = this.#exports;
  }
}

/** An instance that nobody else has. */
function take(): Exports {
  const exports = kept ?? instantiate();
  kept = null;
  return exports;
}

function instantiate(): Exports {
  compiled ??= new WebAssembly.Module(readJpegModule());
  const imports = { env: { abort: () => fail("memory", "JPEG decoder", "no overrun", "one") } };
  return new WebAssembly.Instance(compiled, imports).exports as unknown as Exports;
}

function grow({ memory }: Exports, bytes: number, size: string, where: string): void {
  const pages = Math.ceil(bytes / PAGE_BYTES) - memory.buffer.byteLength / PAGE_BYTES;
  if (pages <= 0) return;
  const needed = `${Math.ceil(bytes / 2 ** 20)} MB of memory for ${size}`;
  if (bytes > PAGE_BYTES * MAX_PAGES) {
    fail("memory", where, needed, "4096, which is all that WebAssembly has", "shrink the picture");
  }
  try {
    memory.grow(pages);
  } catch (error) {
    fail("memory", where, needed, messageOf(error), "shrink the picture");
  }
}
