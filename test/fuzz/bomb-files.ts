/** Files that ask for more than they are: what bombs.ts throws. */
import { BitWriter } from "./bits.ts";
import { concat, latin1, le, u32be } from "./bytes.ts";
import { filesOf } from "./corpora.ts";
import { segmentsOf } from "./targets/jpeg.ts";
import { pngOf } from "./targets/png.ts";

/** Depth 8, RGB, not interlaced. */
export const RGB8 = [8, 2, 0, 0, 0];

/** A PNG of one IDAT chunk. */
export function png(width: number, height: number, kind: readonly number[], data: Uint8Array): Uint8Array {
  return pngOf([
    { name: "IHDR", body: concat(u32be(width), u32be(height), kind) },
    { name: "IDAT", body: data },
    { name: "IEND", body: new Uint8Array(0) },
  ]);
}

/** The first file of the corpus with such a frame, of another size. */
export function jpeg(name: string, width: number, height: number): Uint8Array[] {
  const parts = segmentsOf(filesOf("test/golden/image/files/", name)[0].slice());
  const frame = parts.find((part) => part[0] === 0xff && (part[1] === 0xc0 || part[1] === 0xc2));
  frame?.set([height >> 8, height & 255, width >> 8, width & 255], 5);
  return parts;
}

/** A grey progressive file of `megapixels`, whose every scan but the first says that nothing follows, over and over. */
export function manyScans(side: number, scans: number): Uint8Array {
  const table = (kind: number, symbols: readonly number[]): number[] => [
    ...[
      0xff,
      0xc4,
      0,
      19 + symbols.length,
      kind,
      symbols.length,
      ...new Array<number>(15).fill(0),
      ...symbols,
    ],
  ];
  const quantiser = concat([0xff, 0xdb, 0, 67, 0], new Uint8Array(64).fill(1));
  const frame = [0xff, 0xc2, 0, 11, 8, side >> 8, side & 255, side >> 8, side & 255, 1, 1, 0x11, 0];
  const blocks = Math.ceil(side / 8) ** 2;
  const dc = concat([0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0x00], new Uint8Array(Math.ceil(blocks / 8)));
  // A run of 32767 blocks of nothing: the code 0, then fourteen bits; 0xfe holds no marker.
  const runs = Math.ceil(blocks / 16384) + 1;
  const ac = concat([0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0x00], new Uint8Array(Math.ceil((runs * 15) / 8) + 2));
  const head = concat([0xff, 0xd8], quantiser, frame, table(0, [0]), table(0x10, [0xe0]));
  return concat(head, dc, ...Array.from({ length: scans - 1 }, () => ac), [0xff, 0xd9]);
}

/** An npy file's bytes up to its elements, with such a header. */
export const npyHeader = (text: string, major = 2): Uint8Array =>
  concat(latin1("\x93NUMPY"), [major, 0], le(text.length, major === 1 ? 2 : 4), latin1(text));

/** An npy file of bytes, all zero. */
export function zeroes(count: number): Uint8Array {
  return concat(
    npyHeader(`{'descr': '|u1', 'fortran_order': False, 'shape': (${count},), }\n`),
    new Uint8Array(count),
  );
}

/** Dynamic blocks that hold nothing, one behind the other: each makes a reader build its tables, of 15 bits. */
export function emptyBlocks(count: number): Uint8Array {
  const bits = new BitWriter();
  for (let block = 0; block < count; block++) {
    bits.put((block === count - 1 ? 1 : 0) | (2 << 1), 3);
    bits.put(272 - 257, 5); // literals and lengths
    bits.put(0, 5); // 1 distance
    bits.put(15, 4); // 19 lengths of lengths: those of 1 to 15 and 18 have 4 bits
    for (const symbol of [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]) {
      bits.put([0, 16, 17].includes(symbol) ? 0 : 4, 3);
    }
    for (const zeroes of [138, 118]) {
      bits.code([15, 4]);
      bits.put(zeroes - 11, 7);
    }
    for (let length = 1; length <= 15; length++) bits.code([length - 1, 4]); // 256, the end, has 1 bit
    bits.code([14, 4]);
    bits.code([0, 4]); // the distance
    bits.code([0, 1]); // the end
  }
  return bits.bytes();
}
