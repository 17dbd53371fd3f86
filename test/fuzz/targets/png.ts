/** PNG: chunks, headers, zlib streams and scan lines; read with zlib and pngjs, and as browsers do. */
import { deflateSync, inflateSync } from "node:zlib";
import { decodeImage } from "../../../src/image/decode.ts";
import type { ImageData8 } from "../../../src/image/image.ts";
import { crc32, type PngFile, readPngFile } from "../../../src/image/png-chunks.ts";
import { writePngStream } from "../../../src/image/png-stream.ts";
import * as browser from "../../../src/image/vendor.browser.ts";
import * as node from "../../../src/image/vendor.ts";
import { concat, latin1, mutate, shuffleSome, u32be } from "../bytes.ts";
import { filesOf } from "../corpora.ts";
import type { Random } from "../random.ts";
import { attempt, type Outcome, outcomeOf, promise, promiseSame, type Target } from "../target.ts";
import { equalPictures, promisePicture } from "./jpeg.ts";

const MAX_PIXELS = 1 << 18;
const SURPLUS_BYTES = 65536; // as png.ts
const SIGNATURE = latin1("\x89PNG\r\n\x1a\n");

/** A chunk of a file. */
export interface Chunk {
  readonly name: string;
  readonly body: Uint8Array;
}

/** A file's chunks, as far as there are any. */
export function chunksOf(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ name, body: bytes.slice(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

/** A file of these chunks, with right check sums. */
export function pngOf(chunks: readonly Chunk[]): Uint8Array {
  return concat(
    SIGNATURE,
    ...chunks.flatMap(({ name, body }) => {
      const named = concat(latin1(name), body);
      return [u32be(body.length), named, u32be(crc32(named))];
    }),
  );
}

function corpus(random: Random): Uint8Array {
  return random.pick(filesOf("test/golden/image/files/", ".png"));
}

function editHeader(random: Random, body: Uint8Array): Uint8Array {
  const out = body.slice();
  const side = [0, 1, 2, 3, 7, 8, 9, 16, 33, 255, 511, 512, 65535, 0x7fffffff, 0x80000000, 0xffffffff];
  if (random.once(2)) out.set(u32be(random.pick(side)), random.pick([0, 4]));
  if (random.once(2)) out[8] = random.pick([0, 1, 2, 3, 4, 8, 16, 32]);
  if (random.once(2)) out[9] = random.pick([0, 1, 2, 3, 4, 5, 6, 7]);
  if (random.once(3)) out[12] = random.pick([0, 1, 1, 2]);
  return out;
}

/** The zlib stream's content changed, and deflated again in some way. */
function editData(random: Random, data: Uint8Array): Uint8Array {
  let raw: Uint8Array;
  try {
    raw = new Uint8Array(inflateSync(data));
  } catch {
    return data;
  }
  if (random.once(2)) raw = mutate(random, raw, data, 1 + random.below(3));
  if (random.once(8)) raw = concat(raw, random.bytes(random.size(3000)));
  const level = random.pick([0, 1, 6, 9]);
  const strategy = random.below(5);
  const packed = new Uint8Array(
    deflateSync(raw, { level, strategy, windowBits: random.pick([9, 12, 15]), memLevel: 4 }),
  );
  return random.once(3) ? mutate(random, packed, data, 1) : packed;
}

function make(random: Random): Uint8Array {
  const bytes = corpus(random);
  if (random.once(4)) return mutate(random, bytes, corpus(random));
  let chunks = chunksOf(bytes);
  if (random.once(3)) chunks = shuffleSome(random, chunks);
  if (random.once(6)) {
    const others = chunksOf(corpus(random));
    chunks.splice(random.below(chunks.length + 1), random.below(2), random.pick(others));
  }
  chunks = chunks.flatMap((chunk): Chunk[] => {
    const { name, body } = chunk;
    if (name === "IHDR" && body.length === 13 && random.once(2))
      return [{ name, body: editHeader(random, body) }];
    if (name === "IDAT" && random.once(2)) {
      const data = editData(random, body);
      const cut = random.below(data.length + 1);
      return random.once(3)
        ? [
            { name, body: data.slice(0, cut) },
            { name, body: data.slice(cut) },
          ]
        : [{ name, body: data }];
    }
    if (random.once(8)) return [{ name, body: mutate(random, body, bytes, 1) }];
    return [chunk];
  });
  const out = pngOf(chunks);
  if (random.once(5)) return out.slice(0, random.below(out.length + 1));
  return random.once(6) ? mutate(random, out, bytes, 1) : out;
}

type Vendor = Pick<typeof browser, "inflate" | "storeUncompressed" | "decodePngStream">;

/** Samples by one build's libraries; null where they refuse them. */
function samples(file: PngFile, vendor: Vendor): Uint8Array | Uint16Array | null {
  try {
    const raw = vendor.inflate(file.data, file.rawBytes + SURPLUS_BYTES);
    if (raw.length < file.rawBytes) return null;
    const stored = vendor.storeUncompressed(raw.subarray(0, file.rawBytes));
    return vendor.decodePngStream(writePngStream(file, stored)).data;
  } catch {
    return null;
  }
}

function run(bytes: Uint8Array): Outcome {
  const decode = () =>
    attempt((): ImageData8 => decodeImage(bytes, { source: "case.png", maxPixels: MAX_PIXELS }));
  const decoded = decode();
  if (decoded.value) promisePicture(decoded.value, MAX_PIXELS);
  promiseSame("decoded again", decoded, decode(), equalPictures);
  if (!bytes.subarray(0, 8).every((byte, i) => byte === SIGNATURE[i])) return outcomeOf(decoded);
  const { value: file } = attempt(() => readPngFile(bytes, MAX_PIXELS, "case.png"));
  if (!file) return outcomeOf(decoded);
  const here = samples(file, node);
  const there = samples(file, browser);
  promise((here === null) === (decoded.error !== undefined), () => "pieces against the whole");
  const told = (read: unknown): string => (read === null ? "refused" : "read");
  promise((here === null) === (there === null), () => `browsers: ${told(here)} against ${told(there)}`);
  if (here && there)
    promise(
      here.every((sample, i) => sample === there[i]),
      () => "browsers: other samples",
    );
  return outcomeOf(decoded);
}

/** PNG. */
export const png: Target = {
  name: "png",
  weight: 18,
  make,
  run,
  memoryBound: (length) => (32 << 20) + 8 * length + 3 * 40 * MAX_PIXELS,
};
