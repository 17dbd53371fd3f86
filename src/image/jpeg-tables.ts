/**
 * A JPEG's tables as its segments state them: quantisation (DQT) and Huffman (DHT) tables, and the Huffman tables that hold
 * where a sequential file brings none, as frames of Motion JPEG do.
 * Source: ITU-T T.81, A.6, B.2.4 and K.3.
 */
import { corrupt } from "./jpeg-frame.ts";

/** 17 counts of codes by length (the first is not used), then 256 symbols, zero behind the last. */
export type HuffmanSpecification = Uint8Array;

/** Bytes of a {@link HuffmanSpecification}. */
export const SPECIFICATION_BYTES = 17 + 256;

/** Counts for lengths 1..16, then the symbols. */
const DC_LUMA = "00010501010101010100000000000000000102030405060708090a0b";
const DC_CHROMA = "00030101010101010101010000000000000102030405060708090a0b";
const AC_LUMA =
  "0002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a" +
  "25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798" +
  "999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa";
const AC_CHROMA =
  "00020102040403040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f117" +
  "18191a262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a9293949596" +
  "9798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa";

/** The place of the k-th coefficient in rows of frequencies (figure A.6). */
// biome-ignore format: eight to a row, as in the figure
const ZIGZAG: readonly number[] = [
  0, 1, 8, 16, 9, 2, 3, 10,
  17, 24, 32, 25, 18, 11, 4, 5,
  12, 19, 26, 33, 40, 48, 41, 34,
  27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36,
  29, 22, 15, 23, 30, 37, 44, 51,
  58, 59, 52, 45, 38, 31, 39, 46,
  53, 60, 61, 54, 47, 55, 62, 63,
];

/** The tables in force at one point of a file; null or missing where none has come. */
export class JpegTables {
  /** By number 0..3: 64 steps in rows of frequencies. */
  readonly quantisers: (Uint16Array | undefined)[] = [];
  readonly #huffman: (HuffmanSpecification | undefined)[] = []; // 4 DC, 4 AC
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  /** Enters the body of a DQT segment. */
  readQuantisers(body: Uint8Array): void {
    let at = 0;
    while (at < body.length) {
      const wide = body[at] >> 4;
      const slot = body[at++] & 15;
      const bytes = wide ? 128 : 64;
      if (slot > 3 || wide > 1 || at + bytes > body.length) {
        corrupt(
          this.#where,
          "quantisation tables 0..3 of 64 steps",
          `table ${slot} of ${body.length - at} bytes`,
        );
      }
      const table = new Uint16Array(64);
      for (let k = 0; k < 64; k++) {
        table[ZIGZAG[k]] = wide ? (body[at + 2 * k] << 8) | body[at + 2 * k + 1] : body[at + k];
      }
      this.quantisers[slot] = table;
      at += bytes;
    }
  }

  /** Enters the body of a DHT segment. */
  readHuffman(body: Uint8Array): void {
    let at = 0;
    while (at < body.length) {
      const kind = body[at] >> 4;
      const slot = body[at] & 15;
      const counts = body.subarray(at + 1, at + 17);
      const symbols = counts.reduce((sum, n) => sum + n, 0);
      at += 17;
      if (kind > 1 || slot > 3 || symbols > 256 || at + symbols > body.length) {
        corrupt(this.#where, "Huffman tables 0..3 of at most 256 codes", `table ${slot} of ${symbols} codes`);
      }
      this.#huffman[kind * 4 + slot] = specification(counts, body.subarray(at, at + symbols));
      at += symbols;
    }
  }

  /** The Huffman table of kind 0 (DC) or 1 (AC); `standard`: one of the standard's where the file brings none. */
  huffman(kind: 0 | 1, slot: number, standard: boolean): HuffmanSpecification {
    const key = kind * 4 + slot;
    if (standard && slot < 2) {
      this.#huffman[key] ??= fromHex(kind === 0 ? [DC_LUMA, DC_CHROMA][slot] : [AC_LUMA, AC_CHROMA][slot]);
    }
    return (
      this.#huffman[key] ??
      corrupt(this.#where, "the Huffman tables of its scans", `no ${kind === 0 ? "DC" : "AC"} table ${slot}`)
    );
  }
}

function specification(counts: Uint8Array, symbols: Uint8Array): HuffmanSpecification {
  const out = new Uint8Array(SPECIFICATION_BYTES);
  out.set(counts, 1);
  out.set(symbols, 17);
  return out;
}

function fromHex(text: string): HuffmanSpecification {
  const bytes = Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
  return specification(bytes.subarray(0, 16), bytes.subarray(16));
}
