/**
 * JPEG to RGB, bit for bit as libjpeg-turbo does it with its default settings: baseline, extended and progressive Huffman
 * coding, 8 bits, grey, YCbCr, RGB, CMYK and YCCK (the last two to RGB as OpenCV does), all whole sampling ratios, any
 * scans. Not supported, as in most builds of libjpeg: arithmetic coding, 12 bits, lossless, hierarchical.
 * Segments are read here, coded data in WebAssembly (assembly/jpeg). A file of one scan goes through in strips of 8 to 32
 * rows; of others all coefficients are kept until the last scan.
 */
import { fail, messageOf } from "../errors.ts";
import { applyOrientation } from "./exif.ts";
import type { ImageData8 } from "./image.ts";
import { BAD_CODE, DATA_ENDED, JpegDecoder, NO_MARKER, RESTART_LOST } from "./jpeg-decoder.ts";
import { corrupt, failTruncated, type JpegFrame } from "./jpeg-frame.ts";
import { JpegReader, type Stop } from "./jpeg-reader.ts";
import { type JpegScan, ScanLedger } from "./jpeg-scan.ts";

/** How {@link decodeJpeg} names and bounds its input. */
export interface JpegOptions {
  /** The most pixels that a header may declare. */
  readonly maxPixels: number;
  /** Names the source in errors and warnings. */
  readonly where: string;
  /** Whether coded data that is cut off or damaged is decoded as far as it goes; else it is refused. */
  readonly fill: boolean;
  /** Told what was wrong with a picture that was filled. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Decodes a JPEG file to RGB with its EXIF orientation applied. Throws code "format"; code "memory" for a picture above
 * `maxPixels` or more memory than there is.
 */
export function decodeJpeg(bytes: Uint8Array, options: JpegOptions): ImageData8 {
  const { maxPixels, where } = options;
  const reader = new JpegReader(bytes, maxPixels, where);
  const scan = reader.next(true);
  const { frame } = reader;
  if (typeof scan === "string" || !frame) return refuseWithoutScan(scan, frame, bytes.length, where);
  const ledger = new ScanLedger(frame, where);
  ledger.add(scan);
  if (!options.fill) ledger.requireBytes(scan, bytes.length - reader.at);
  // Like libjpeg, look no further than the first scan where that can be all of the picture.
  const single = !frame.progressive && scan.components.length === frame.components.length;
  const data = allocate(frame, where);
  const decoder = new JpegDecoder(frame, bytes.subarray(reader.at), !single, where);
  try {
    if (single) {
      beginScan(decoder, reader, frame, scan, reader.at, where);
      decoder.beginRows(reader.colour(frame), null);
    } else {
      decodeScans(decoder, reader, frame, ledger, scan, bytes.length, options);
      decoder.beginRows(reader.colour(frame), frame.progressive ? ledger.knownBits() : null);
    }
    for (let at = 0; at < data.length; ) {
      const rows = decoder.nextRows();
      data.set(rows, at);
      at += rows.length;
      if (!options.fill) refuseDamage(decoder.damage(), frame, where);
    }
    if (options.fill) warnOfDamage(decoder.damage(), options);
  } finally {
    decoder.release();
  }
  const { width, height } = frame;
  return applyOrientation({ data, width, height, channels: 3 }, reader.orientation);
}

/** Decodes all scans into the decoder's memory. */
function decodeScans(
  decoder: JpegDecoder,
  reader: JpegReader,
  frame: JpegFrame,
  ledger: ScanLedger,
  firstScan: JpegScan,
  length: number,
  { fill, where, onWarning }: JpegOptions,
): void {
  const codedAt = reader.at;
  let stop: Stop = firstScan;
  while (typeof stop !== "string") {
    beginScan(decoder, reader, frame, stop, codedAt, where);
    reader.at = codedAt + decoder.decodeScan();
    if (!fill) refuseDamage(decoder.damage(), frame, where);
    stop = reader.next(!fill);
    if (typeof stop === "string") break;
    ledger.add(stop);
    if (!fill) ledger.requireBytes(stop, length - reader.at);
  }
  const missing = ledger.countMissing();
  const all = frame.components.length;
  if (!fill && missing > 0)
    failTruncated(where, `scans of all ${all} components`, `none for ${missing} of them`);
  if (missing > 0)
    onWarning?.(`${where}: no scan came for ${missing} of ${all} components, which are left grey`);
  if (stop === "end" || ledger.isComplete()) return;
  if (!fill) failTruncated(where, `the file to go on after byte ${length}`, `${length} bytes`);
  onWarning?.(`${where}: the file ends after byte ${length}, before its last scan: details are missing`);
}

/** Hands the decoder what a scan needs, and begins it. */
function beginScan(
  decoder: JpegDecoder,
  reader: JpegReader,
  frame: JpegFrame,
  scan: JpegScan,
  codedAt: number,
  where: string,
): void {
  for (const { index, dc, ac } of scan.components) {
    if (!decoder.hasQuantiser(index)) {
      const slot = frame.components[index].table; // as it is now: later scans may redefine it for other components
      const table = reader.tables.quantisers[slot];
      if (!table) corrupt(where, "the quantisation tables of its components", `no table ${slot}`);
      decoder.setQuantiser(index, table);
    }
    if (scan.first === 0 && scan.high === 0) setHuffman(decoder, reader, frame, 0, dc, where);
    if (scan.last > 0) setHuffman(decoder, reader, frame, 1, ac, where);
  }
  decoder.beginScan(scan, frame.progressive, reader.at - codedAt, reader.restartInterval);
}

function setHuffman(
  decoder: JpegDecoder,
  reader: JpegReader,
  frame: JpegFrame,
  kind: 0 | 1,
  slot: number,
  where: string,
): void {
  const table = reader.tables.huffman(kind, slot, !frame.progressive);
  if (decoder.setHuffman(kind, slot, table)) return;
  corrupt(
    where,
    "Huffman tables that are prefix codes",
    `${kind === 0 ? "DC" : "AC"} table ${slot}, which is none`,
  );
}

function refuseDamage(damage: number, { width, height }: JpegFrame, where: string): void {
  if ((damage & BAD_CODE) !== 0)
    corrupt(where, "coded data that can be decoded", "a code that is in no table");
  if ((damage & RESTART_LOST) !== 0 && (damage & NO_MARKER) === 0) {
    corrupt(where, "restart markers one after the other", "another marker in the place of one");
  }
  if ((damage & (DATA_ENDED | RESTART_LOST)) !== 0) {
    failTruncated(where, `${width} x ${height} pixels`, "coded data that ends before the last of them");
  }
}

function warnOfDamage(damage: number, { where, onWarning }: JpegOptions): void {
  if ((damage & BAD_CODE) !== 0)
    onWarning?.(`${where}: coded data is damaged; parts of the picture are wrong`);
  if ((damage & RESTART_LOST) !== 0)
    onWarning?.(`${where}: restart markers are missing; parts may be displaced`);
  if ((damage & DATA_ENDED) !== 0)
    onWarning?.(`${where}: coded data ends early; what is missing is left grey`);
}

function refuseWithoutScan(stop: Stop, frame: JpegFrame | null, length: number, where: string): never {
  if (stop === "cut") failTruncated(where, `the file to go on after byte ${length}`, `${length} bytes`);
  if (!frame) failTruncated(where, "a frame header (SOF)", "none before the end");
  failTruncated(where, `scans of all ${frame.components.length} components`, "none at all");
}

function allocate({ width, height }: JpegFrame, where: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(width * height * 3);
  } catch (error) {
    fail("memory", where, `memory for ${width} x ${height} pixels`, messageOf(error), "shrink the picture");
  }
}
