/**
 * The seam for formats that are not decoded here (WebP, AVIF, HEIC, TIFF ...): the caller names a function that does it. No
 * package is loaded by itself. Kept on `globalThis`, so that every bundle of the package, and what a program loads
 * before the command line, share it; not across threads.
 */
import { fail, MobileDetrError, messageOf } from "../errors.ts";
import { applyOrientation } from "./exif.ts";
import { checkImage, type ImageData8, type RawImage, toRgb } from "./image.ts";
import { checkDeclaredSize } from "./limits.ts";
import { FOREIGN_FORMATS, type ForeignFormat, type Sniffed } from "./sniff.ts";
import { readWebp } from "./webp.ts";

/**
 * Decodes a file's bytes to 8-bit pixels, RGB, RGBA or grey, as they lie in the file: of WebP, EXIF's orientation is applied
 * afterwards; of other formats it is the decoder's own affair. A promise will do for `detect()`, not for `decodeImage`.
 */
export type Decoder = (bytes: Uint8Array) => RawImage | Promise<RawImage>;

const KEY = Symbol.for("mobiledetr.decoders");

function decoders(): Map<string, Decoder> {
  const shared = globalThis as { [KEY]?: Map<string, Decoder> };
  shared[KEY] ??= new Map();
  return shared[KEY];
}

/**
 * Names the decoder for a format, for all pictures that this thread reads and for those that it gives to detectors; null takes
 * it away. Throws code "argument".
 */
export function registerDecoder(format: ForeignFormat, decoder: Decoder | null): void {
  if (!FOREIGN_FORMATS.includes(format)) {
    fail("argument", "registerDecoder", `one of ${FOREIGN_FORMATS.join(", ")}`, JSON.stringify(format));
  }
  if (decoder === null) decoders().delete(format);
  else if (typeof decoder !== "function") {
    fail(
      "argument",
      `registerDecoder: ${format}`,
      "a function from bytes to pixels, or null",
      typeof decoder,
    );
  } else decoders().set(format, decoder);
}

/** Whether a decoder was registered for what the first bytes tell. */
export function hasDecoder({ foreign }: Sniffed): boolean {
  return foreign !== undefined && decoders().has(foreign);
}

/** Whether any decoder was registered. */
export function hasDecoders(): boolean {
  return decoders().size > 0;
}

/** Decodes by what was registered; a promise where the decoder gives one. Throws code "format" where there is none, or it fails. */
export function decodeForeign(
  bytes: Uint8Array,
  { foreign, name, mend }: Sniffed,
  maxPixels: number,
  where: string,
): ImageData8 | Promise<ImageData8> {
  const decoder = foreign && decoders().get(foreign);
  if (!decoder)
    return fail("format", where, "a JPEG, PNG, BMP or GIF picture", name, mend ?? mendFor(foreign));
  const webp = foreign === "webp" ? readWebp(bytes) : undefined;
  if (webp?.width) checkDeclaredSize(webp.width, webp.height, maxPixels, where);
  const finish = (raw: RawImage): ImageData8 => {
    const image = toRgb(checkImage(raw, `${where}: the decoder for ${foreign}`));
    checkDeclaredSize(image.width, image.height, maxPixels, where);
    return applyOrientation(image, webp?.orientation ?? 1);
  };
  const refuse = (error: unknown): never => {
    if (error instanceof MobileDetrError) throw error;
    return fail("format", where, `${name} that its decoder can read`, messageOf(error));
  };
  try {
    const raw = decoder(bytes);
    return raw instanceof Promise ? raw.then(finish).catch(refuse) : finish(raw);
  } catch (error) {
    return refuse(error);
  }
}

/** What to do about a format that nobody decodes. */
function mendFor(foreign: ForeignFormat | undefined): string {
  if (!foreign) return "convert it to JPEG or PNG";
  if (foreign !== "webp" && foreign !== "avif")
    return `convert it to PNG, or give registerDecoder("${foreign}", ...) of mobiledetr/image a function that decodes it`;
  const browser = "in a browser, detect(await createImageBitmap(blob)) needs none of this";
  if (foreign === "avif") return `convert it to PNG, or registerDecoder("avif", ...); ${browser}`;
  const lines = 'import { decode } from "@cwasm/webp"; import { registerDecoder } from "mobiledetr/image"; ';
  return `convert it to PNG, or npm install @cwasm/webp, then ${lines}registerDecoder("webp", decode); ${browser}`;
}
