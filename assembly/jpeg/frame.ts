/**
 * The frame: size, components, and where in memory everything lies. Memory above the module's constants is laid out anew
 * for each picture: input, one line and a ring of rows for each component, the finished rows, and for files of several
 * scans every coefficient. Nothing is allocated beyond that.
 * Source: ITU-T T.81, A.1 and A.2; which kinds are scaled up how: libjpeg-turbo jdsample.c, jinit_upsampler.
 */

/** Fields of a component, i32 each, as offsets from {@link component}. */
export const H = 0; // sampling factors 1..4
export const V = 4;
export const BLOCKS_WIDE = 8; // blocks that hold samples of the picture
export const BLOCKS_HIGH = 12;
export const STORED_WIDE = 16; // the same, filled up to whole coding units
export const WIDTH = 20; // samples
export const HEIGHT = 24;
export const STRIDE = 28; // bytes between rows of the ring
export const RING = 32; // rows [2 * 8 * V][STRIDE]: this strip and the one before it
export const LINE = 36; // one row scaled up to the picture's width
export const COEFFICIENTS = 40; // i16 [BLOCKS_HIGH filled up][STORED_WIDE][64], or 0
export const SCALING = 44; // one of the kinds below
const COMPONENT_BYTES = 48;

/** Kinds of {@link SCALING}. */
export const SCALE_NONE = 0;
export const SCALE_REPEAT = 1; // every sample as often as it must be
export const SCALE_WIDE = 2; // triangle filter over two columns
export const SCALE_HIGH = 3; // over two rows
export const SCALE_BOTH = 4;

const MAX_COMPONENTS = 4;
const COMPONENTS = memory.data(COMPONENT_BYTES * MAX_COMPONENTS);
/** u16 [4][64] in the order of rows, one table for each component. */
const QUANTISERS = memory.data(128 * MAX_COMPONENTS, 16);

/** Bytes that vector loops may touch behind the end of a row. */
const SLACK = 64;

export let width: i32 = 0;
export let height: i32 = 0;
export let componentCount: i32 = 0;
export let maxH: i32 = 0;
export let maxV: i32 = 0;
export let stripCount: i32 = 0;
/** Whether all coefficients are kept: files of several scans. */
export let keeping: bool = false;
/** Whether rows are made from the rows above and below them. */
export let needsNeighbours: bool = false;
export let input: usize = 0;
export let output: usize = 0;
/** i16 sums of two rows, with one in front and SLACK behind. */
export let sums: usize = 0;

let top: u64 = 0;

export function component(index: i32): usize {
  return COMPONENTS + (index as usize) * COMPONENT_BYTES;
}

export function quantiser(index: i32): usize {
  return QUANTISERS + (index as usize) * 128;
}

export function beginFrame(frameWidth: i32, frameHeight: i32, components: i32, keep: bool): void {
  width = frameWidth;
  height = frameHeight;
  componentCount = components;
  keeping = keep;
  maxH = 1;
  maxV = 1;
  memory.fill(QUANTISERS, 0, 128 * MAX_COMPONENTS); // a component without a scan comes out grey
}

/** Enters a component's sampling factors. */
export function setComponent(index: i32, h: i32, v: i32): void {
  const c = component(index);
  store<i32>(c, h, H);
  store<i32>(c, v, V);
  maxH = max(maxH, h);
  maxV = max(maxV, v);
}

/** Lays memory out for the frame and `inputBytes` of coded data; returns the bytes of memory it takes in all. */
export function layOut(inputBytes: u32): f64 {
  top = ((__heap_base as u64) + 63) & ~63;
  input = reserve(inputBytes);
  stripCount = ceilDiv(height, 8 * maxV);
  const unitsWide = ceilDiv(width, 8 * maxH);
  needsNeighbours = false;
  for (let i = 0; i < componentCount; i++) {
    const c = component(i);
    const h = load<i32>(c, H);
    const v = load<i32>(c, V);
    store<i32>(c, ceilDiv(width * h, 8 * maxH), BLOCKS_WIDE);
    store<i32>(c, ceilDiv(height * v, 8 * maxV), BLOCKS_HIGH);
    store<i32>(c, unitsWide * h, STORED_WIDE);
    const columns = ceilDiv(width * h, maxH);
    store<i32>(c, columns, WIDTH);
    store<i32>(c, ceilDiv(height * v, maxV), HEIGHT);
    const scaling = scalingOf(maxH / h, maxV / v, columns);
    store<i32>(c, scaling, SCALING);
    if (scaling == SCALE_HIGH || scaling == SCALE_BOTH) needsNeighbours = true;
    const stride = unitsWide * h * 8 + SLACK;
    store<i32>(c, stride, STRIDE);
    store<usize>(c, reserve((stride as u64) * ((16 * v) as u64)), RING);
    store<usize>(c, reserve((unitsWide as u64) * ((8 * maxH) as u64) + SLACK), LINE);
    const blocks = ((unitsWide * h) as u64) * ((stripCount * v) as u64);
    store<usize>(c, keeping ? reserve(blocks * 128) : 0, COEFFICIENTS);
  }
  sums = reserve((unitsWide as u64) * ((16 * maxH) as u64) + 2 * SLACK) + 16;
  output = reserve((width as u64) * 3 * ((8 * maxV + 1) as u64) + SLACK);
  return top as f64;
}

/** Zeroes the coefficients; after memory has been grown to what {@link layOut} asked for. */
export function clearCoefficients(): void {
  for (let i = 0; i < componentCount; i++) {
    const c = component(i);
    const blocks = (load<i32>(c, STORED_WIDE) as usize) * ((stripCount * load<i32>(c, V)) as usize);
    memory.fill(load<usize>(c, COEFFICIENTS), 0, blocks * 128);
  }
}

/** Coefficients of the block in a row and column of the stored ones. */
export function coefficients(c: usize, row: i32, column: i32): usize {
  const at = (row as usize) * (load<i32>(c, STORED_WIDE) as usize) + (column as usize);
  return load<usize>(c, COEFFICIENTS) + at * 128;
}

/** Row `row` of a component's samples, which must be of this strip or the one before. */
export function ringRow(c: usize, row: i32): usize {
  const at = row % (16 * load<i32>(c, V));
  return load<usize>(c, RING) + (at as usize) * (load<i32>(c, STRIDE) as usize);
}

function scalingOf(timesWide: i32, timesHigh: i32, columns: i32): i32 {
  if (timesWide == 1 && timesHigh == 1) return SCALE_NONE;
  if (timesWide == 1 && timesHigh == 2) return SCALE_HIGH;
  // QUIRK: rows of one or two samples are repeated, not filtered.
  if (timesWide == 2 && timesHigh == 1 && columns > 2) return SCALE_WIDE;
  if (timesWide == 2 && timesHigh == 2 && columns > 2) return SCALE_BOTH;
  return SCALE_REPEAT;
}

function reserve(bytes: u64): usize {
  const at = top;
  top = (top + bytes + 63) & ~63;
  return at as usize;
}

function ceilDiv(a: i32, b: i32): i32 {
  return (a + b - 1) / b;
}
