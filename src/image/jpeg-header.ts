/**
 * Reads the segments of a JPEG file up to its last scan, checks them, and writes the stream that jpeg-js is given: only
 * the segments that bear on pixels. jpeg-js would stumble over some of the others, ignores Adobe's "no transform", and
 * finds out about missing data after it has allocated for all of it.
 * Source: ITU-T T.81 annex B; component meanings as libjpeg guesses them (jdapimin.c, default_decompress_parms).
 */
import { fail } from "../errors.ts";
import { type Orientation, readOrientation } from "./exif.ts";
import { corrupt, failTruncated, type JpegFrame, readFrame } from "./jpeg-frame.ts";
import { ScanLedger } from "./jpeg-scans.ts";

/** What the components mean. "cmyk" and "ycck" are stored inverted, as Adobe does and OpenCV assumes. */
export type JpegColour = "grey" | "ycc" | "rgb" | "cmyk" | "ycck";

/** A JPEG file that has all its parts. */
export interface JpegFile {
  readonly frame: JpegFrame;
  readonly colour: JpegColour;
  readonly orientation: Orientation;
  /** Whether restart markers stand in the scans. */
  readonly restarts: boolean;
  /** Whether the file has an end marker; without one its last scan may be cut off. */
  readonly ended: boolean;
  /** The file without what does not bear on pixels; ends with an end marker. */
  readonly stream: Uint8Array;
}

const DHT = 0xc4;
const DAC = 0xcc;
const SOI = 0xd8;
const EOI = 0xd9;
const SOS = 0xda;
const DQT = 0xdb;
const DRI = 0xdd;
const APP0 = 0xe0;
const APP1 = 0xe1;
const APP14 = 0xee;
const END_MARKER = Uint8Array.of(0xff, EOI);

/** Reads a JPEG file's segments. Throws code "format", or "memory" for one above `maxPixels`. */
export function readJpegFile(bytes: Uint8Array, maxPixels: number, where: string): JpegFile {
  const parts: Uint8Array[] = [bytes.subarray(0, 2)];
  let frame: JpegFrame | null = null;
  let ledger: ScanLedger | null = null;
  let jfif = false;
  let adobe: number | null = null;
  let orientation: Orientation | null = null;
  let restartInterval = 0;
  let ended = false;
  let at = 2;
  for (;;) {
    const start = bytes.indexOf(0xff, at); // bytes between segments are skipped, as libjpeg does
    let code = start < 0 ? bytes.length : start + 1;
    while (bytes[code] === 0xff) code++; // fill bytes
    if (code >= bytes.length) {
      if (ledger?.complete()) break; // only the end marker is missing: every pixel is there
      failTruncated(where, `the file to go on after byte ${bytes.length}`, `${bytes.length} bytes`);
    }
    const marker = bytes[code];
    at = code + 1;
    if (marker === EOI) {
      ended = true;
      break;
    }
    if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd7)) continue; // no segment follows
    if (marker === SOI)
      fail("format", where, "one JPEG picture", `a second one that begins at byte ${start}`);
    const length = at + 2 <= bytes.length ? (bytes[at] << 8) | bytes[at + 1] : 2;
    const body = bytes.subarray(at + 2, at + length);
    if (length < 2) corrupt(where, "segments of at least 2 bytes", `${length} at byte ${at}`);
    if (at + length > bytes.length) {
      const name = `segment ff${marker.toString(16)}`;
      failTruncated(where, `${length} bytes of ${name} at byte ${at}`, `${bytes.length - at}`);
    }
    at += length;
    if (marker === DRI && body.length >= 2) restartInterval = (body[0] << 8) | body[1];
    if (marker === DHT || marker === DQT || marker === DRI) parts.push(bytes.subarray(code - 1, at));
    else if (marker === APP0 && startsWith(body, "JFIF\0")) jfif = true;
    else if (marker === APP1 && startsWith(body, "Exif\0")) orientation ??= readOrientation(body.subarray(6));
    else if (marker === APP14 && startsWith(body, "Adobe") && body.length >= 12) adobe = body[11];
    else if (marker >= 0xc0 && marker <= 0xcf && marker !== DAC && marker !== 0xc8) {
      if (frame) fail("format", where, "one frame", `a second frame header at byte ${start}`);
      frame = readFrame(marker, body, maxPixels, where);
      ledger = new ScanLedger(frame, where);
      parts.push(bytes.subarray(code - 1, at));
    } else if (marker === SOS) {
      if (!ledger) corrupt(where, "a frame header before the first scan", `a scan at byte ${start}`);
      const { end, restarts } = endOfScan(bytes, at);
      ledger.add(body, end - at, restarts, restartInterval);
      parts.push(bytes.subarray(code - 1, end));
      at = end;
    }
    // The rest says nothing about pixels: other APPn, comments, DNL (a height of 0 was refused in the frame header).
  }
  if (!frame || !ledger) failTruncated(where, "a frame header (SOF)", "none before the end");
  ledger.requireEveryComponent();
  const colour = guessColour(frame, jfif, adobe);
  // jpeg-js needs Adobe's segment to take four components at all, and reads the transform from it.
  if (colour === "cmyk" || colour === "ycck") parts.splice(1, 0, adobeSegment(colour === "ycck" ? 2 : 0));
  parts.push(END_MARKER);
  return {
    frame,
    colour,
    orientation: orientation ?? 1,
    restarts: restartInterval > 0,
    ended,
    stream: concat(parts),
  };
}

/** Where the marker behind the coded data stands, and how many restart markers stand in it. */
function endOfScan(bytes: Uint8Array, begin: number): { end: number; restarts: number } {
  let at = begin;
  let restarts = 0;
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) return { end: bytes.length, restarts };
    const next = bytes[at + 1];
    if (next >= 0xd0 && next <= 0xd7) restarts++;
    else if (next !== 0 && next !== 0xff) return { end: at, restarts };
    at += next === 0xff ? 1 : 2;
  }
}

function guessColour(frame: JpegFrame, jfif: boolean, adobe: number | null): JpegColour {
  if (frame.components.length === 1) return "grey";
  if (frame.components.length === 4) return adobe === null || adobe === 0 ? "cmyk" : "ycck";
  if (jfif) return "ycc";
  if (adobe !== null) return adobe === 0 ? "rgb" : "ycc";
  return frame.components.map((c) => String.fromCharCode(c.id)).join("") === "RGB" ? "rgb" : "ycc";
}

function adobeSegment(transform: number): Uint8Array {
  return Uint8Array.of(0xff, APP14, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, transform);
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false;
  return true;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
