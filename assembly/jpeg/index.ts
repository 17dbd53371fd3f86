/**
 * The JPEG decoder's inner part: from coded data, tables and a frame's measures to rows of RGB, bit for bit libjpeg-turbo's
 * with its default settings. It reads no segments but restart markers, checks nothing that its caller can check, and has
 * one picture in hand at a time. Its memory belongs to it alone.
 *
 * The calls, in order: beginFrame, setComponent for each, layOut; grow memory; then for each scan buildTable and quantiser
 * as the segments come, beginScan, setScanComponent; files of several scans clearCoefficients first and decodeScan each;
 * beginOutput; nextRows until all rows have come.
 */
import { badCode, clearBadCode, SPECIFICATION } from "./huffman";
import { input, output } from "./frame";
import { clearDamage, cutOff, lostRestart } from "./scan";
import { isExhausted, segmentEnd } from "./segments";
import { KNOWN_BITS } from "./smooth";

export { beginFrame, clearCoefficients, layOut, quantiser, setComponent } from "./frame";
export { buildTable } from "./huffman";
export { beginOutput, nextRows } from "./output";
export { beginScan, decodeScan, setScanComponent } from "./scan";

/** Where the coded data is to be put. */
export function inputAddress(): usize {
  return input;
}

/** Where {@link nextRows} leaves its rows. */
export function outputAddress(): usize {
  return output;
}

/** Where buildTable's specification is to be put. */
export function specificationAddress(): usize {
  return SPECIFICATION;
}

/** Where the bits known of each coefficient are to be put: i8 [2][4][10]. */
export function knownBitsAddress(): usize {
  return KNOWN_BITS;
}

/** The address of the marker behind the scan, or of the end of the data. */
export function scanEnd(): usize {
  return segmentEnd();
}

/** Forgets the damage seen. */
export function clearWarnings(): void {
  clearDamage();
  clearBadCode();
}

/** Damage seen since: 1 data ran out, 2 a restart marker was not where it was due, 4 a code that is none; 8 no marker behind. */
export function warnings(): i32 {
  return (cutOff ? 1 : 0) | (lostRestart ? 2 : 0) | (badCode ? 4 : 0) | (isExhausted() ? 8 : 0);
}
