/** EXIF: a TIFF block by grammar, in a JPEG and in a PNG. It may say what it likes: the picture is read, turned or not. */
import fc from "fast-check";
import { decodeImage } from "../../../src/image/decode.ts";
import type { ImageData8 } from "../../../src/image/image.ts";
import { concat, latin1, mutate } from "../bytes.ts";
import { filesOf } from "../corpora.ts";
import type { Random } from "../random.ts";
import { attempt, type Outcome, promise, type Target } from "../target.ts";
import { promisePicture } from "./jpeg.ts";
import { chunksOf, pngOf } from "./png.ts";

const MAX_BLOCK = 65000; // what an APP1 segment holds

const entry = fc.record({
  tag: fc.oneof(fc.constant(0x0112), fc.nat(0xffff)),
  type: fc.oneof(fc.constantFrom(3, 4), fc.nat(14)),
  count: fc.oneof(fc.constant(1), fc.nat(0xffffffff)),
  value: fc.oneof(fc.nat(9), fc.nat(0xffffffff)),
});

const block = fc.record({
  order: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("II", "MM") },
    { weight: 1, arbitrary: fc.constantFrom("IM", "\0\0") },
  ),
  magic: fc.oneof({ weight: 9, arbitrary: fc.constant(42) }, { weight: 1, arbitrary: fc.nat(65535) }),
  directory: fc.oneof(
    { weight: 6, arbitrary: fc.constant(8) },
    { weight: 1, arbitrary: fc.nat(200) },
    { weight: 1, arbitrary: fc.nat(0xffffffff) },
  ),
  claimed: fc.option(fc.nat(65535), { freq: 3 }),
  entries: fc.array(entry, { maxLength: 12 }),
  cut: fc.option(fc.nat(200), { freq: 4, nil: undefined }),
});

function make(random: Random): Uint8Array {
  const [spec] = fc.sample(block, { seed: random.word() | 0, numRuns: 1 });
  const little = spec.order === "II";
  const out = new Uint8Array(10 + spec.entries.length * 12 + 4);
  const view = new DataView(out.buffer);
  out.set(latin1(spec.order));
  view.setUint16(2, spec.magic, little);
  view.setUint32(4, spec.directory, little);
  view.setUint16(8, spec.claimed ?? spec.entries.length, little);
  spec.entries.forEach(({ tag, type, count, value }, i) => {
    const at = 10 + i * 12;
    view.setUint16(at, tag, little);
    view.setUint16(at + 2, type, little);
    view.setUint32(at + 4, count, little);
    if (type === 3) view.setUint16(at + 8, value & 0xffff, little);
    else view.setUint32(at + 8, value, little);
  });
  const whole = spec.cut === undefined ? out : out.slice(0, spec.cut);
  return random.once(3) ? mutate(random, whole, out, 1 + random.below(3)) : whole;
}

/** Pictures whose sides differ and that have no EXIF of their own. */
function plainJpeg(): Uint8Array {
  return filesOf("test/golden/image/files/", "grey.jpg")[0];
}

function plainPng(): Uint8Array {
  return filesOf("test/golden/image/files/", "c2-d8.png")[0];
}

function run(block: Uint8Array): Outcome {
  const tiff = block.subarray(0, MAX_BLOCK);
  const jpeg = plainJpeg();
  const length = tiff.length + 8;
  const inJpeg = concat(
    jpeg.subarray(0, 2),
    [0xff, 0xe1, length >> 8, length & 255],
    latin1("Exif\0\0"),
    tiff,
    jpeg.subarray(2),
  );
  const png = chunksOf(plainPng());
  const inPng = pngOf([png[0], { name: "eXIf", body: tiff.slice() }, ...png.slice(1)]);
  for (const [plain, bytes] of [
    [jpeg, inJpeg],
    [plainPng(), inPng],
  ]) {
    const upright = decodeImage(plain);
    const { value, error } = attempt((): ImageData8 => decodeImage(bytes));
    promise(value !== undefined, () => `EXIF refuses a picture: ${error?.message}`);
    promisePicture(value, 1 << 20);
    promise(value.data.length === upright.data.length, () => "another size");
    const sum = (image: ImageData8): number => image.data.reduce((total, sample) => total + sample, 0);
    promise(sum(value) === sum(upright), () => "other pixels");
  }
  return "read";
}

/** EXIF blocks. */
export const exif: Target = {
  name: "exif",
  weight: 12,
  make,
  run,
  memoryBound: (length) => (16 << 20) + 8 * length,
};
