/**
 * Tells a file's format by its first bytes, never by its name. Knows what is decoded here, what a decoder can be
 * registered for, and the names of what people hand in by mistake, so that the refusal can say what came and what to do.
 */

/** A format that pictures are encoded in. */
export type ImageFormat = "jpeg" | "png";

/** A format that is decoded here. */
export type DecodedFormat = ImageFormat | "bmp" | "gif";

/** Formats that are not decoded here, but can be told: a decoder can be registered for them. */
export const FOREIGN_FORMATS = [
  "webp",
  "avif",
  "heic",
  "jxl",
  "jp2",
  "tiff",
  "psd",
  "ico",
  "svg",
  "pnm",
  "qoi",
  "exr",
  "hdr",
  "dds",
  "dicom",
] as const;

/** One of them. */
export type ForeignFormat = (typeof FOREIGN_FORMATS)[number];

/** What the first bytes tell: a format that is decoded here, or another one that has a name, or nothing. */
export interface Sniffed {
  readonly format: DecodedFormat | null;
  /** One that a decoder can be registered for. */
  readonly foreign?: ForeignFormat;
  /** For people: "a JPEG", "a WebP picture", "HTML text"; "unknown bytes (12 34 56 78)". */
  readonly name: string;
  /** What to do about what is no picture. */
  readonly mend?: string;
}

type Kind = readonly [name: string, foreign?: ForeignFormat | null, mend?: string];

const PAGE = [null, "render a page of it to PNG"] as const;
const FRAME = [null, "take a frame of it as PNG"] as const;
const UNPACK = [null, "unpack it"] as const;
const FETCH = [null, "fetch the picture itself, with whatever its server asks for"] as const;
const TIFF: Kind = ["a TIFF or raw camera picture", "tiff"];
const BIG_TIFF: Kind = ["a BigTIFF picture", "tiff"];
const JXL: Kind = ["a JPEG XL picture", "jxl"];
const JP2: Kind = ["a JPEG 2000 picture", "jp2"];

/** Opening bytes as text in which every character stands for one byte, at an offset. */
const SIGNATURES: readonly (readonly [offset: number, bytes: string, kind: Kind])[] = [
  [0, "II*\0", TIFF],
  [0, "MM\0*", TIFF],
  [0, "II+\0", BIG_TIFF],
  [0, "MM\0+", BIG_TIFF],
  [0, "\xff\x0a", JXL],
  [0, "\0\0\0\x0cJXL ", JXL],
  [0, "\0\0\0\x0cjP  ", JP2],
  [0, "\xff\x4f\xff\x51", JP2],
  [0, "8BPS", ["a Photoshop picture", "psd"]],
  [0, "qoif", ["a QOI picture", "qoi"]],
  [0, "\x76\x2f\x31\x01", ["an OpenEXR picture", "exr"]],
  [0, "#?RADIANCE", ["a Radiance HDR picture", "hdr"]],
  [0, "DDS ", ["a DDS texture", "dds"]],
  [0, "\0\0\x01\0", ["an ICO icon", "ico"]],
  [0, "\0\0\x02\0", ["a CUR cursor", "ico"]],
  [0, "\x8aMNG", ["an MNG animation", ...FRAME]],
  [0, "\x8bJNG", ["a JNG picture"]],
  [
    0,
    "\x89PNG",
    [
      "a PNG whose first bytes were damaged, as a transfer in text mode does it",
      null,
      "fetch it again, as bytes",
    ],
  ],
  [0, "%PDF-", ["a PDF document", ...PAGE]],
  [0, "%!PS", ["a PostScript document", ...PAGE]],
  [0, "PK\x03\x04", ["a ZIP archive or office document", ...UNPACK]],
  [0, "\x1f\x8b", ["gzip data", ...UNPACK]],
  [0, "7z\xbc\xaf\x27\x1c", ["a 7z archive", ...UNPACK]],
  [0, "Rar!", ["a RAR archive", ...UNPACK]],
  [0, "\x1a\x45\xdf\xa3", ["a WebM or Matroska video", ...FRAME]],
  [0, "\0\0\x01\xba", ["an MPEG video", ...FRAME]],
  [
    0,
    "version https://git-lfs",
    ["a Git LFS pointer (the file itself was not fetched)", null, "git lfs pull"],
  ],
  [128, "DICM", ["a DICOM picture", "dicom"]],
];

const BRANDS: readonly (readonly [pattern: RegExp, kind: Kind])[] = [
  [/^avi[fs]/, ["an AVIF picture", "avif"]],
  [/^(hei[cxms]|hev[cxms]|mif1|msf1)/, ["a HEIC/HEIF picture", "heic"]],
  [/^crx /, ["a raw camera picture"]],
  [/^qt {2}/, ["a QuickTime video", ...FRAME]],
];

/** Tells the format of a file from its first bytes. */
export function sniffFormat(bytes: Uint8Array): Sniffed {
  const head = latin1(bytes.subarray(0, 512));
  if (head.startsWith("\xff\xd8\xff")) return { format: "jpeg", name: "a JPEG picture" };
  if (head.startsWith("\x89PNG\r\n\x1a\n")) return { format: "png", name: "a PNG picture" };
  if (/^GIF8[79]a/.test(head)) return { format: "gif", name: "a GIF picture" };
  // Text may begin with these letters, but has no bytes that are 0.
  if (head.startsWith("BM") && (head.slice(6, 10) === "\0\0\0\0" || head.slice(15, 18) === "\0\0\0")) {
    return { format: "bmp", name: "a BMP picture" };
  }
  const [name, foreign, mend] = bytes.length === 0 ? ["no bytes at all"] : otherFormat(head, bytes);
  return { format: null, name, foreign: foreign ?? undefined, mend };
}

function otherFormat(head: string, bytes: Uint8Array): Kind {
  if (head.startsWith("RIFF")) return riffFormat(head.slice(8, 12));
  if (head.slice(4, 8) === "ftyp") {
    const brand = head.slice(8, 12);
    const other: Kind = ["an MP4 video or another media file", ...FRAME];
    return BRANDS.find(([pattern]) => pattern.test(brand))?.[1] ?? other;
  }
  const known = SIGNATURES.find(([offset, signature]) => head.startsWith(signature, offset));
  if (known) return known[2];
  if (/^P[1-7]\s/.test(head)) return ["a PNM picture", "pnm"];
  return textFormat(bytes.subarray(0, 512)) ?? [`unknown bytes (${hex(head.slice(0, 8))})`];
}

function riffFormat(kind: string): Kind {
  if (kind === "WEBP") return ["a WebP picture", "webp"];
  return kind === "AVI " ? ["an AVI video", ...FRAME] : ["a RIFF file"];
}

function textFormat(bytes: Uint8Array): Kind | null {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true }); // may end inside a character
  } catch {
    return null;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what tells bytes from text
  if (/[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text)) return null;
  text = text.trimStart();
  if (/^<(!doctype html|html|head|body)/i.test(text)) return ["HTML text", ...FETCH];
  if (/^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg/is.test(text))
    return ["an SVG drawing", "svg", "render it to PNG"];
  if (text.startsWith("<?xml")) return ["XML text", ...FETCH];
  return [text.length === 0 ? "blank text" : `text (${JSON.stringify(text.slice(0, 24))})`, ...FETCH];
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function hex(text: string): string {
  return Array.from(text, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join(" ");
}
