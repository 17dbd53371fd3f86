/**
 * Goes through the segments of a JPEG file, from scan to scan, and keeps what they state.
 * Source: ITU-T T.81 annex B; what components mean as libjpeg guesses it (jdapimin.c, default_decompress_parms).
 */
import { fail } from "../errors.ts";
import { type Orientation, readOrientation } from "./exif.ts";
import { corrupt, failTruncated, type JpegFrame, readFrame } from "./jpeg-frame.ts";
import { type JpegScan, readScan } from "./jpeg-scan.ts";
import { JpegTables } from "./jpeg-tables.ts";

/** What the components mean. "cmyk" and "ycck" are stored inverted, as Adobe does and OpenCV assumes. */
export type JpegColour = "grey" | "ycc" | "rgb" | "cmyk" | "ycck";

/** What came: a scan's header, the end marker, or the end of the bytes without one. */
export type Stop = JpegScan | "end" | "cut";

const TEM = 0x01;
const SOF0 = 0xc0;
const DHT = 0xc4;
const JPG = 0xc8;
const DAC = 0xcc;
const RST0 = 0xd0;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DRI = 0xdd;
const DHP = 0xde;
const EXP = 0xdf;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP14 = 0xee;
const JPG0 = 0xf0;
const COM = 0xfe;

/** Reads one file. */
export class JpegReader {
  readonly tables: JpegTables;
  /** The frame header, once it has come. */
  frame: JpegFrame | null = null;
  orientation: Orientation = 1;
  /** Coding units between restart markers, or 0. */
  restartInterval = 0;
  /** Where reading goes on; behind a scan's header the coded data stands. */
  at = 2;
  #jfif = false;
  #adobe: number | null = null;
  #oriented = false;
  readonly #bytes: Uint8Array;
  readonly #maxPixels: number;
  readonly #where: string;

  constructor(bytes: Uint8Array, maxPixels: number, where: string) {
    this.#bytes = bytes;
    this.#maxPixels = maxPixels;
    this.#where = where;
    this.tables = new JpegTables(where);
  }

  /**
   * Reads on to the next scan. Throws code "format", or "memory" for a frame above `maxPixels`. `strict`: segments that
   * break off are refused, with what is missing, and not just the end.
   */
  next(strict: boolean): Stop {
    const bytes = this.#bytes;
    for (;;) {
      const start = bytes.indexOf(0xff, this.at); // bytes between segments are skipped, as libjpeg does
      let code = start < 0 ? bytes.length : start + 1;
      while (bytes[code] === 0xff) code++; // fill bytes
      if (code >= bytes.length) return "cut";
      const marker = bytes[code];
      const at = code + 1;
      this.at = at;
      if (marker === EOI) return "end";
      if (marker <= TEM || (marker >= RST0 && marker < SOI)) continue; // no segment follows
      if (marker === SOI) {
        fail("format", this.#where, "one JPEG picture", `a second one that begins at byte ${start}`);
      }
      // As libjpeg: what else has no meaning, DHP, EXP and JPGn, does not stand in pictures of one frame.
      if (marker < SOF0 || marker === DHP || marker === EXP || (marker >= JPG0 && marker < COM)) {
        corrupt(this.#where, "segments that are known", `marker ff${hex(marker)} at byte ${start}`);
      }
      const length = at + 2 <= bytes.length ? (bytes[at] << 8) | bytes[at + 1] : 2;
      if (length < 2) corrupt(this.#where, "segments of at least 2 bytes", `${length} at byte ${at}`);
      if (at + length > bytes.length) {
        if (!strict) return "cut";
        const name = `segment ff${hex(marker)}`;
        failTruncated(this.#where, `${length} bytes of ${name} at byte ${at}`, `${bytes.length - at}`);
      }
      const body = bytes.subarray(at + 2, at + length);
      this.at = at + length;
      if (marker === SOS) {
        if (this.frame) return readScan(this.frame, body, this.#where);
        corrupt(this.#where, "a frame header before the first scan", `a scan at byte ${start}`);
      }
      this.#readSegment(marker, body, start);
    }
  }

  /** What the frame's components mean, by the segments that have come. */
  colour(frame: JpegFrame): JpegColour {
    const { components } = frame;
    if (components.length === 1) return "grey";
    if (components.length === 4) return this.#adobe === null || this.#adobe === 0 ? "cmyk" : "ycck";
    if (this.#jfif) return "ycc";
    if (this.#adobe !== null) return this.#adobe === 0 ? "rgb" : "ycc";
    return components.map((c) => String.fromCharCode(c.id)).join("") === "RGB" ? "rgb" : "ycc";
  }

  #readSegment(marker: number, body: Uint8Array, start: number): void {
    if (marker === DHT) this.tables.readHuffman(body);
    else if (marker === DQT) this.tables.readQuantisers(body);
    else if (marker === DRI) {
      if (body.length !== 2) corrupt(this.#where, "a restart interval of 2 bytes", `${body.length}`);
      this.restartInterval = (body[0] << 8) | body[1];
    } else if (marker === APP0 && startsWith(body, "JFIF\0")) this.#jfif = true;
    else if (marker === APP1 && startsWith(body, "Exif\0") && !this.#oriented) {
      this.orientation = readOrientation(body.subarray(6));
      this.#oriented = true;
    } else if (marker === APP14 && startsWith(body, "Adobe") && body.length >= 12) this.#adobe = body[11];
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== DAC && marker !== JPG) {
      if (this.frame) fail("format", this.#where, "one frame", `a second frame header at byte ${start}`);
      this.frame = readFrame(marker, body, this.#maxPixels, this.#where);
    }
    // The rest says nothing about pixels: other APPn, comments, DNL (a height of 0 was refused in the frame header).
  }
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false;
  return true;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
