/**
 * One scan: which blocks come in which order, restarts, and what happens to the blocks for which no data is left. Where
 * coefficients are not kept, each block is turned into samples at once.
 * Source: ITU-T T.81, A.2 and F.2; without data: libjpeg-turbo jdhuff.c and jdphuff.c (blocks stay zero, which is grey).
 */
import { ranOut } from "./bits";
import {
  BLOCKS_HIGH,
  BLOCKS_WIDE,
  coefficients,
  component,
  H,
  maxH,
  quantiser,
  ringRow,
  STRIDE,
  stripCount,
  V,
  width,
} from "./frame";
import { huffmanTable } from "./huffman";
import { inverseDct, inverseDctFlat } from "./idct";
import { acFirst, acRefine, clearBlockRun, dcFirst, dcRefine } from "./progressive";
import { beginSegments, isWaiting, nextRestart } from "./segments";
import { decodeSequential, hasAc } from "./sequential";

/** Kinds of scans. */
export const SEQUENTIAL = 0;
export const DC_FIRST = 1;
export const DC_REFINE = 2;
export const AC_FIRST = 3;
export const AC_REFINE = 4;

const INDEX = 0; // fields of a scan's component, i32: its index in the frame,
const DC_TABLE = 4; // its tables,
const AC_TABLE = 8;
const BEFORE = 12; // the DC coefficient of its block before
const FIELD_BYTES = 16;
const FIELDS = memory.data(FIELD_BYTES * 4);
const BLOCK = memory.data(128, 16);

let kind: i32 = 0;
let parts: i32 = 0;
let first: i32 = 0;
let last: i32 = 0;
let low: i32 = 0;
let interval: i32 = 0;
let untilRestart: i32 = 0;
let restartDue: i32 = 0;
/** Whether the segment's data has run out. */
let empty: bool = false;

/** Whether any segment of the picture ran out of data. */
export let cutOff: bool = false;
/** Whether a restart marker was not where it was due. */
export let lostRestart: bool = false;
/** The last strip of the last scan for which there was data. */
export let lastGoodStrip: i32 = 0;

export function clearDamage(): void {
  cutOff = false;
  lostRestart = false;
}

/** Begins a scan of `count` components over the coded data [from, end); bits below `lowBit` are still to come. */
export function beginScan(
  from: usize,
  end: usize,
  scanKind: i32,
  count: i32,
  firstCoefficient: i32,
  lastCoefficient: i32,
  lowBit: i32,
  restartInterval: i32,
): void {
  kind = scanKind;
  parts = count;
  first = firstCoefficient;
  last = lastCoefficient;
  low = lowBit;
  interval = restartInterval;
  untilRestart = interval;
  restartDue = 0;
  empty = false;
  for (let i = 0; i < 4; i++) store<i32>(field(i), 0, BEFORE);
  clearBlockRun();
  beginSegments(from, end);
}

/** Component `i` of the scan. */
export function setScanComponent(i: i32, index: i32, dcSlot: i32, acSlot: i32): void {
  store<i32>(field(i), index, INDEX);
  store<usize>(field(i), huffmanTable(0, dcSlot), DC_TABLE);
  store<usize>(field(i), huffmanTable(1, acSlot), AC_TABLE);
}

/** Decodes all of the scan into the coefficients. */
export function decodeScan(): void {
  for (let strip = 0; strip < stripCount; strip++) decodeStrip(strip, false);
}

/** Decodes the blocks of a strip, 8 * maxV rows of the picture: to samples in the rings, or to coefficients. */
export function decodeStrip(strip: i32, toSamples: bool): void {
  if (parts == 1) decodeAlone(strip, toSamples);
  else decodeInterleaved(strip, toSamples);
}

/** A scan of one component has no blocks but those that hold samples. */
function decodeAlone(strip: i32, toSamples: bool): void {
  const f = field(0);
  const c = component(load<i32>(f, INDEX));
  const v = load<i32>(c, V);
  const end = min((strip + 1) * v, load<i32>(c, BLOCKS_HIGH));
  const columns = load<i32>(c, BLOCKS_WIDE);
  for (let row = strip * v; row < end; row++) {
    for (let column = 0; column < columns; column++) {
      beginUnit(strip);
      decodeBlock(f, c, row, column, toSamples);
      endUnit();
    }
  }
}

function decodeInterleaved(strip: i32, toSamples: bool): void {
  const units = (width + 8 * maxH - 1) / (8 * maxH);
  for (let unit = 0; unit < units; unit++) {
    beginUnit(strip);
    for (let i = 0; i < parts; i++) {
      const f = field(i);
      const c = component(load<i32>(f, INDEX));
      const h = load<i32>(c, H);
      const v = load<i32>(c, V);
      for (let y = 0; y < v; y++) {
        for (let x = 0; x < h; x++) decodeBlock(f, c, strip * v + y, unit * h + x, toSamples);
      }
    }
    endUnit();
  }
}

function beginUnit(strip: i32): void {
  if (!empty) lastGoodStrip = strip;
  if (interval == 0) return;
  if (untilRestart == 0) restart();
  untilRestart--;
}

function restart(): void {
  if (!nextRestart(restartDue)) lostRestart = true;
  restartDue = (restartDue + 1) & 7;
  untilRestart = interval;
  for (let i = 0; i < parts; i++) store<i32>(field(i), 0, BEFORE);
  clearBlockRun();
  if (!isWaiting()) empty = false;
}

function endUnit(): void {
  if (!ranOut()) return;
  empty = true;
  cutOff = true;
}

function decodeBlock(f: usize, c: usize, row: i32, column: i32, toSamples: bool): void {
  if (toSamples) {
    const before = load<i32>(f, BEFORE);
    let dc = 0;
    let flat = true;
    if (!empty) {
      dc = decodeSequential(BLOCK, load<usize>(f, DC_TABLE), load<usize>(f, AC_TABLE), before);
      store<i32>(f, dc, BEFORE);
      flat = !hasAc;
    }
    // Blocks that fill up a coding unit are not looked at again.
    const seen = column < load<i32>(c, BLOCKS_WIDE) && row < load<i32>(c, BLOCKS_HIGH);
    if (seen) {
      const to = ringRow(c, row * 8) + ((column * 8) as usize);
      const stride = load<i32>(c, STRIDE) as usize;
      const table = quantiser(load<i32>(f, INDEX));
      if (flat) inverseDctFlat((dc << 16) >> 16, table, to, stride);
      else inverseDct(BLOCK, table, to, stride);
    }
    if (!flat) memory.fill(BLOCK, 0, 128);
    return;
  }
  if (empty) return;
  const block = coefficients(c, row, column);
  if (kind == SEQUENTIAL) {
    const before = load<i32>(f, BEFORE);
    store<i32>(
      f,
      decodeSequential(block, load<usize>(f, DC_TABLE), load<usize>(f, AC_TABLE), before),
      BEFORE,
    );
  } else if (kind == DC_FIRST) {
    store<i32>(f, dcFirst(block, load<usize>(f, DC_TABLE), load<i32>(f, BEFORE), low), BEFORE);
  } else if (kind == DC_REFINE) dcRefine(block, low);
  else if (kind == AC_FIRST) acFirst(block, load<usize>(f, AC_TABLE), first, last, low);
  else acRefine(block, load<usize>(f, AC_TABLE), first, last, low);
}

function field(i: i32): usize {
  return FIELDS + (i as usize) * FIELD_BYTES;
}
