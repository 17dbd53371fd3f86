/**
 * The coded data between markers: stuffed zero bytes are taken out, in place, up to the next marker; and what is done
 * when that marker is not the restart that was due.
 * Source: ITU-T T.81, B.1.1.5; libjpeg-turbo jdmarker.c, jpeg_resync_to_restart.
 */
import { beginBits } from "./bits";

const RST0 = 0xd0;
const RST7 = 0xd7;
const SOF0 = 0xc0;
const EOI = 0xd9;

let from: usize = 0; // where unstuffing reads
let at: usize = 0; // behind the marker that ended the segment
let inputEnd: usize = 0;
/** The marker that ends the segment; EOI where the data ends without one. */
let marker: i32 = 0;
/** Whether that marker still stands before the decoder: an empty segment follows. */
let waiting: bool = false;
/** Whether the data has ended without a marker. */
let exhausted: bool = false;

/** Begins with the segment at `from`. */
export function beginSegments(from: usize, end: usize): void {
  inputEnd = end;
  at = from;
  nextSegment();
}

/** Where the marker that ended the last segment stands (its last byte but one), or the end of the data. */
export function segmentEnd(): usize {
  return exhausted ? inputEnd : at - 2;
}

/**
 * Goes on behind a restart marker of number `due` (0..7); returns whether it was there. If not, decides as libjpeg does
 * between an empty segment (the restart was lost), skipping, and taking what came for the one that was due.
 */
export function nextRestart(due: i32): bool {
  if (marker == RST0 + due) {
    nextSegment();
    return true;
  }
  for (;;) {
    if (marker < SOF0) {
      skipSegment();
      continue;
    }
    const ahead = (marker - RST0 - due) & 7;
    if (marker < RST0 || marker > RST7 || ahead == 1 || ahead == 2) {
      waiting = true;
      beginBits(at, at);
      return false;
    }
    if (ahead < 6) break;
    skipSegment();
  }
  nextSegment();
  return false;
}

/** Whether an unread marker keeps the decoder from more data. */
export function isWaiting(): bool {
  return waiting;
}

/** Whether the data ended without a marker. */
export function isExhausted(): bool {
  return exhausted;
}

function nextSegment(): void {
  const begin = at;
  const end = unstuff();
  waiting = false;
  beginBits(begin, end);
}

function skipSegment(): void {
  unstuff();
}

/** Moves the data from `at` up to the next marker together; sets `marker` and `at`; returns the end of the data. */
function unstuff(): usize {
  from = at;
  let to = at;
  let code = 0;
  while (code == 0) {
    to = moveClean(to);
    while (from < inputEnd && load<u8>(from) == 0xff) from++; // more than one of them are fill bytes
    exhausted = from >= inputEnd;
    code = exhausted ? EOI : load<u8>(from++);
    if (code == 0) store<u8>(to++, 0xff);
  }
  marker = code;
  at = from;
  return to;
}

/** Moves bytes from `from` on to `to` until an FF or the end of the input; returns the end of them. */
function moveClean(begin: usize): usize {
  let to = begin;
  const ff = i8x16.splat(-1);
  while (from + 16 <= inputEnd) {
    const bytes = v128.load(from);
    if (v128.any_true(i8x16.eq(bytes, ff))) break;
    v128.store(to, bytes);
    from += 16;
    to += 16;
  }
  // One by one: a whole vector would run over what is still to be read.
  while (from < inputEnd && load<u8>(from) != 0xff) store<u8>(to++, load<u8>(from++));
  return to;
}
