/** From strips of samples to rows of RGB. A row that needs the one below it waits for the next strip. */
import {
  BLOCKS_HIGH,
  BLOCKS_WIDE,
  coefficients,
  component,
  componentCount,
  height,
  keeping,
  maxV,
  needsNeighbours,
  output,
  quantiser,
  ringRow,
  STRIDE,
  stripCount,
  V,
  width,
} from "./frame";
import { cmykRow, greyRow, rgbRow, yccRow, ycckRow } from "./colour";
import { inverseDct } from "./idct";
import { decodeStrip, lastGoodStrip } from "./scan";
import { canSmooth, smoothBlock } from "./smooth";
import { fullRow } from "./upsample";

/** What the components are. CMYK is stored inverted. */
export const GREY = 0;
export const YCC = 1;
export const RGB = 2;
export const CMYK = 3;
export const YCCK = 4;

let colour: i32 = 0;
let smoothing: bool = false;
let strip: i32 = 0;
let rowsDone: i32 = 0;

/** Begins with the first strip; `maySmooth` for progressive files. */
export function beginOutput(meaning: i32, maySmooth: bool): void {
  colour = meaning;
  smoothing = maySmooth && canSmooth();
  strip = 0;
  rowsDone = 0;
}

/** Makes the next strip's rows at `output`, RGB, close together; returns how many there are. */
export function nextRows(): i32 {
  if (keeping) transformStrip();
  else decodeStrip(strip, true);
  strip++;
  const end = strip == stripCount ? height : strip * 8 * maxV - (needsNeighbours ? 1 : 0);
  let to = output;
  const begin = rowsDone;
  for (; rowsDone < end; rowsDone++) {
    convertRow(rowsDone, to);
    to += (width * 3) as usize;
  }
  return end - begin;
}

/** The strip's kept coefficients to samples. */
function transformStrip(): void {
  for (let i = 0; i < componentCount; i++) {
    const c = component(i);
    const v = load<i32>(c, V);
    const end = min((strip + 1) * v, load<i32>(c, BLOCKS_HIGH));
    const columns = load<i32>(c, BLOCKS_WIDE);
    const stride = load<i32>(c, STRIDE) as usize;
    for (let row = strip * v; row < end; row++) {
      let to = ringRow(c, row * 8);
      for (let column = 0; column < columns; column++) {
        const block = smoothing
          ? smoothBlock(i, strip, row, column, lastGoodStrip)
          : coefficients(c, row, column);
        inverseDct(block, quantiser(i), to, stride);
        to += 8;
      }
    }
  }
}

function convertRow(y: i32, to: usize): void {
  const first = fullRow(0, y);
  if (colour == GREY) greyRow(first, to, width);
  else if (colour == YCC) yccRow(first, fullRow(1, y), fullRow(2, y), to, width);
  else if (colour == RGB) rgbRow(first, fullRow(1, y), fullRow(2, y), to, width);
  else if (colour == CMYK) cmykRow(first, fullRow(1, y), fullRow(2, y), fullRow(3, y), to, width);
  else ycckRow(first, fullRow(1, y), fullRow(2, y), fullRow(3, y), to, width);
}
