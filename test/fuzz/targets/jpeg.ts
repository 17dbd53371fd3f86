/** JPEG: segments taken apart and put together in other ways, fields edited, bytes changed. */
import { decodeImage } from "../../../src/image/decode.ts";
import type { ImageData8 } from "../../../src/image/image.ts";
import { concat, mutate, shuffleSome } from "../bytes.ts";
import { filesOf } from "../corpora.ts";
import type { Random } from "../random.ts";
import {
  type Attempt,
  attempt,
  equalBytes,
  type Outcome,
  outcomeOf,
  promise,
  promiseSame,
  type Target,
} from "../target.ts";

/** Small, so that a case is decided soon; the limit's own default has bombs of its own. */
export const MAX_PIXELS = 1 << 18;

/** Bytes of memory that a pixel takes at the most: coefficients of four components, rings, pixels, the same turned. */
const BYTES_PER_PIXEL = 40;
const SPARE_BYTES = 48 << 20;

/** A picture after which stale memory is seen: noise in every block. */
let poison: Uint8Array | undefined;

/** Marker and body with its length, or coded data, as they stand. */
export function segmentsOf(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    let end = bytes.length;
    if (bytes[at] === 0xff && at + 4 <= bytes.length) {
      const marker = bytes[at + 1];
      const bare = marker === 0xd8 || marker === 0xd9 || (marker >= 0xd0 && marker <= 0xd7);
      end = at + 2 + (bare ? 0 : (bytes[at + 2] << 8) | bytes[at + 3]);
    } else {
      for (let i = at; i + 1 < bytes.length; i++) {
        if (bytes[i] !== 0xff || bytes[i + 1] === 0) continue;
        end = i;
        break;
      }
    }
    end = Math.min(Math.max(end, at + 1), bytes.length);
    parts.push(bytes.slice(at, end));
    at = end;
  }
  return parts;
}

function corpus(random: Random): Uint8Array {
  if (random.once(400)) return random.pick(filesOf("examples/pictures/", ".jpg"));
  return random.pick(
    filesOf(random.once(3) ? "test/golden/image/files/" : "test/golden/jpeg/files/", ".jpg"),
  );
}

/** Edits of fields that matter: frame, scan, restart interval, tables. */
function editSegments(random: Random, parts: Uint8Array[]): void {
  const headers = parts.filter((part) => part.length > 4 && part[0] === 0xff && part[1] !== 0);
  for (let i = 1 + random.below(3); i > 0 && headers.length > 0; i--) {
    const part = random.pick(headers);
    const marker = part[1];
    const frame = marker >= 0xc0 && marker <= 0xc2;
    if (frame && random.once(2)) {
      const side = [0, 1, 2, 7, 8, 9, 15, 16, 17, 33, 64, 255, 256, 511, 512, 4096, 65535];
      part.set([random.pick([0, 0, 0, 1]), random.pick(side) & 255], random.pick([5, 7]));
      if (random.once(6)) part[1] = random.pick([0xc0, 0xc1, 0xc2]);
    } else if (frame && part.length > 12) {
      const at = 10 + 3 * random.below(Math.max(1, part[9]));
      const factors = [0x11, 0x21, 0x12, 0x22, 0x41, 0x14, 0x44, 0x42, 0x24, 0x31, 0x13, 0x33];
      if (at + 2 < part.length) part[random.pick([at + 1, at + 1, at + 2, at])] = random.pick(factors);
    } else if (marker === 0xdd) part.set([0, random.below(9)], 4);
    else
      part[4 + random.below(part.length - 4)] = random.pick([
        0,
        1,
        15,
        16,
        63,
        64,
        240,
        255,
        random.below(256),
      ]);
  }
}

function make(random: Random): Uint8Array {
  const bytes = corpus(random);
  if (random.once(3)) return mutate(random, bytes, corpus(random));
  let parts = segmentsOf(bytes);
  if (random.once(2)) parts = shuffleSome(random, parts);
  if (random.once(4)) {
    const others = segmentsOf(corpus(random));
    parts.splice(
      random.below(parts.length + 1),
      random.below(2),
      ...others.slice(random.below(others.length)),
    );
  }
  if (random.once(3)) {
    const interval = [0xff, 0xdd, 0, 4, 0, random.below(6)];
    const scan = parts.findIndex((part) => part[0] === 0xff && part[1] === 0xda);
    parts.splice(Math.max(scan, 0), 0, Uint8Array.from(interval));
  }
  editSegments(random, parts);
  const out = concat(...parts);
  if (random.once(4)) return out.slice(0, random.below(out.length + 1));
  return random.once(2) ? mutate(random, out, bytes, 1 + random.below(2)) : out;
}

/** Throws unless a picture is one. */
export function promisePicture({ data, width, height, channels }: ImageData8, maxPixels: number): void {
  promise(
    channels === 3 && data.length === width * height * 3,
    () => `${data.length} bytes of ${width} x ${height}`,
  );
  promise(width >= 1 && height >= 1 && width * height <= maxPixels, () => `${width} x ${height}`);
}

/** Whether pictures are equal. */
export function equalPictures(a: ImageData8, b: ImageData8): boolean {
  return a.width === b.width && a.height === b.height && equalBytes(a.data, b.data);
}

function decode(bytes: Uint8Array, damaged: "error" | "fill"): Attempt<ImageData8> {
  return attempt(() =>
    decodeImage(bytes, { source: "case.jpg", maxPixels: MAX_PIXELS, damaged, onWarning: () => undefined }),
  );
}

function run(bytes: Uint8Array): Outcome {
  const before = bytes.slice();
  const strict = decode(bytes, "error");
  const filled = decode(bytes, "fill");
  if (strict.value) promisePicture(strict.value, MAX_PIXELS);
  if (filled.value) promisePicture(filled.value, MAX_PIXELS);
  promise(equalBytes(before, bytes), () => "the caller's bytes were changed");
  if (strict.value) promiseSame("error against fill", strict, filled, equalPictures);
  poison ??= filesOf("test/golden/jpeg/files/", ".jpg").reduce((a, b) => (a.length > b.length ? a : b));
  decode(poison, "fill");
  promiseSame("decoded again", filled, decode(bytes, "fill"), equalPictures);
  const { value } = filled;
  if (value) {
    // What is cut off is filled: the size stays, though a rotation that stood behind the cut is lost.
    const cut = decode(bytes.subarray(0, Math.ceil(bytes.length * 0.7)), "fill").value;
    const sides = ({ width, height }: ImageData8): string =>
      [width, height].sort((a, b) => a - b).join(" x ");
    promise(!cut || sides(cut) === sides(value), () => `cut off, of another size`);
  }
  return outcomeOf(strict);
}

/** JPEG, damaged ones refused and filled. */
export const jpeg: Target = {
  name: "jpeg",
  weight: 25,
  make,
  run,
  memoryBound: (length) => SPARE_BYTES + 8 * length + 5 * BYTES_PER_PIXEL * MAX_PIXELS,
};
