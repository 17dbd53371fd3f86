/**
 * Tells a file's format by its first bytes, never by its name. Knows what is decoded here (JPEG, PNG) and the names of
 * what people hand in by mistake, so that the refusal can say what came.
 */

/** A format that is decoded here. */
export type ImageFormat = "jpeg" | "png";

/** What the first bytes tell: a format that is decoded here, or the name of another one, or nothing. */
export interface Sniffed {
  readonly format: ImageFormat | null;
  /** For people: "a JPEG", "a WebP picture", "HTML text"; "unknown bytes (12 34 56 78)". */
  readonly name: string;
}

/** Opening bytes as text in which every character stands for one byte, at an offset. */
const SIGNATURES: readonly (readonly [offset: number, bytes: string, name: string])[] = [
  [0, "GIF87a", "a GIF picture"],
  [0, "GIF89a", "a GIF picture"],
  [0, "II*\0", "a TIFF or raw camera picture"],
  [0, "MM\0*", "a TIFF or raw camera picture"],
  [0, "II+\0", "a BigTIFF picture"],
  [0, "MM\0+", "a BigTIFF picture"],
  [0, "\xff\x0a", "a JPEG XL picture"],
  [0, "\0\0\0\x0cJXL ", "a JPEG XL picture"],
  [0, "\0\0\0\x0cjP  ", "a JPEG 2000 picture"],
  [0, "\xff\x4f\xff\x51", "a JPEG 2000 picture"],
  [0, "8BPS", "a Photoshop picture"],
  [0, "qoif", "a QOI picture"],
  [0, "\x76\x2f\x31\x01", "an OpenEXR picture"],
  [0, "#?RADIANCE", "a Radiance HDR picture"],
  [0, "DDS ", "a DDS texture"],
  [0, "\0\0\x01\0", "an ICO icon"],
  [0, "\x8aMNG", "an MNG animation"],
  [0, "\x8bJNG", "a JNG picture"],
  [0, "\x89PNG", "a PNG whose first bytes were damaged, as a transfer in text mode does it"],
  [0, "%PDF-", "a PDF document"],
  [0, "%!PS", "a PostScript document"],
  [0, "PK\x03\x04", "a ZIP archive or office document"],
  [0, "\x1f\x8b", "gzip data"],
  [0, "7z\xbc\xaf\x27\x1c", "a 7z archive"],
  [0, "Rar!", "a RAR archive"],
  [0, "\x1a\x45\xdf\xa3", "a WebM or Matroska video"],
  [0, "\0\0\x01\xba", "an MPEG video"],
  [0, "version https://git-lfs", "a Git LFS pointer (the file itself was not fetched)"],
  [128, "DICM", "a DICOM picture"],
];

const BRANDS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^avi[fs]/, "an AVIF picture"],
  [/^(hei[cxms]|hev[cxms]|mif1|msf1)/, "a HEIC/HEIF picture"],
  [/^crx /, "a raw camera picture"],
  [/^qt {2}/, "a QuickTime video"],
];

/** Tells the format of a file from its first bytes. */
export function sniffFormat(bytes: Uint8Array): Sniffed {
  const head = latin1(bytes.subarray(0, 512));
  if (head.startsWith("\xff\xd8\xff")) return { format: "jpeg", name: "a JPEG picture" };
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return { format: "png", name: "a PNG picture" };
  return { format: null, name: bytes.length === 0 ? "no bytes at all" : otherFormat(head, bytes) };
}

function otherFormat(head: string, bytes: Uint8Array): string {
  if (head.startsWith("RIFF")) return riffFormat(head.slice(8, 12));
  if (head.slice(4, 8) === "ftyp") {
    const brand = head.slice(8, 12);
    return BRANDS.find(([pattern]) => pattern.test(brand))?.[1] ?? "an MP4 video or another media file";
  }
  if (head.startsWith("BM") && head.slice(6, 10) === "\0\0\0\0") return "a BMP picture";
  const known = SIGNATURES.find(([offset, signature]) => head.startsWith(signature, offset));
  if (known) return known[2];
  if (/^P[1-7]\s/.test(head)) return "a PNM picture";
  return textFormat(bytes.subarray(0, 512)) ?? `unknown bytes (${hex(head.slice(0, 8))})`;
}

function riffFormat(kind: string): string {
  if (kind === "WEBP") return "a WebP picture";
  return kind === "AVI " ? "an AVI video" : "a RIFF file";
}

function textFormat(bytes: Uint8Array): string | null {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true }); // may end inside a character
  } catch {
    return null;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells bytes from text
  if (/[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text)) return null;
  text = text.trimStart();
  if (/^<(!doctype html|html|head|body)/i.test(text)) return "HTML text";
  if (/^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg/is.test(text))
    return "an SVG drawing";
  if (text.startsWith("<?xml")) return "XML text";
  return text.length === 0 ? "blank text" : `text (${JSON.stringify(text.slice(0, 24))})`;
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function hex(text: string): string {
  return Array.from(text, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
}
