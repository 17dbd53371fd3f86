/** Matrices as text: a cell of the terminal shows two rows, its upper and its lower half. */
import { type Rgb, rampColour, rangeOf, shareOf } from "../depict/ramp.ts";

const LEVELS = " .:-=+*#%@"; // from the least to the greatest, where there are no colours

/** A matrix, row-major. */
export interface Matrix {
  readonly height: number;
  readonly width: number;
  readonly data: ArrayLike<number>;
}

/** What a terminal shows: colours of 24 bits, the 256 of xterm, or none that would do. */
export type Colours = "full" | "256" | "none";

/** How a heat map is drawn. */
export interface HeatMapOptions {
  /** Cells of the terminal in a line; wider matrices are averaged down to it. */
  readonly columns: number;
  /** Lines of the terminal; pictures that would fill more, but for the lines around, are averaged down. Default any number. */
  readonly rows?: number;
  /** Half blocks; without colours a character for two rows, by their mean. */
  readonly colours: Colours;
}

const AROUND = 3; // lines: the command, what is drawn, the next prompt
const FEWEST = 4; // lines of a map, however small the terminal
const TALL = 2; // times as high as wide is no picture but a list, of tokens say: it may roll off the screen

/** What a stream shows. Beyond a terminal in full colour (over ssh, say) few tell; then the 256 of xterm are safe. */
export function coloursOf(
  stream: { readonly isTTY?: boolean; getColorDepth?(env: object): number },
  { NO_COLOR, ...env }: Readonly<Record<string, string | undefined>>,
): Colours {
  if (!stream.isTTY || NO_COLOR) return "none";
  const bits = stream.getColorDepth?.(env) ?? 1;
  return bits >= 24 ? "full" : bits >= 8 ? "256" : "none";
}

/** Lines of a heat map. What is not finite is drawn as "?" (without colours) or red. */
export function heatMap(matrix: Matrix, { columns, rows = Infinity, colours }: HeatMapOptions): string[] {
  const most = matrix.height > TALL * matrix.width ? Infinity : Math.max(FEWEST, rows - AROUND);
  const factor = Math.max(1, Math.ceil(matrix.width / columns), Math.ceil(matrix.height / (2 * most)));
  const { height, width, data } = average(matrix, factor);
  const range = rangeOf(data);
  const share = (v: number): number => shareOf(v, range);
  const lines: string[] = [];
  for (let row = 0; row < height; row += 2) {
    let line = "";
    let [front, back] = ["", ""]; // as they are set; over a slow line codes that change nothing are spared
    for (let column = 0; column < width; column++) {
      const upper = data[row * width + column];
      const lower = row + 1 < height ? data[(row + 1) * width + column] : undefined;
      if (colours === "none") {
        line += character(upper, lower, share);
        continue;
      }
      const next = colourCode(38, upper, share, colours);
      const behind = lower === undefined ? "\x1b[49m" : colourCode(48, lower, share, colours);
      line += `${next === front ? "" : next}${behind === back ? "" : behind}▀`;
      [front, back] = [next, behind];
    }
    lines.push(colours === "none" ? line : `${line}\x1b[0m`);
  }
  return lines;
}

/** Means of squares of `factor` x `factor`; what hangs over at the end is a mean of less. */
function average({ height, width, data }: Matrix, factor: number): Matrix {
  if (factor === 1) return { height, width, data };
  const [rows, columns] = [Math.ceil(height / factor), Math.ceil(width / factor)];
  const out = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let [sum, count] = [0, 0];
      for (let y = row * factor; y < Math.min(height, (row + 1) * factor); y++) {
        for (let x = column * factor; x < Math.min(width, (column + 1) * factor); x++) {
          sum += data[y * width + x];
          count++;
        }
      }
      out[row * columns + column] = sum / count;
    }
  }
  return { height: rows, width: columns, data: out };
}

function character(upper: number, lower: number | undefined, share: (v: number) => number): string {
  const mean = lower === undefined ? upper : (upper + lower) / 2;
  if (!Number.isFinite(mean)) return "?";
  return LEVELS[Math.min(LEVELS.length - 1, Math.floor(share(mean) * LEVELS.length))];
}

function colourCode(
  place: 38 | 48, // the block's colour, or the one behind it
  value: number,
  share: (v: number) => number,
  colours: Colours,
): string {
  const rgb = rampColour(share(value));
  return colours === "full" ? `\x1b[${place};2;${rgb.join(";")}m` : `\x1b[${place};5;${nearest256(rgb)}m`;
}

const CUBE = [0, 95, 135, 175, 215, 255]; // xterm's colours 16 to 231

/** The nearest of xterm's cube. Its greys are left out: the ramp has none, and lightness is to rise. */
function nearest256(rgb: Rgb): number {
  const [r, g, b] = rgb.map((c) =>
    CUBE.reduce((best, level, i) => (Math.abs(level - c) < Math.abs(CUBE[best] - c) ? i : best), 0),
  );
  return 16 + 36 * r + 6 * g + b;
}

const EIGHTHS = " ▁▂▃▄▅▆▇█";

/** A histogram in one line of block characters (without `blocks` in digits of nine levels), the greatest bin the highest. */
export function histogramLine(bins: ArrayLike<number>, blocks = true): string {
  const most = Math.max(1, ...Array.from(bins));
  return Array.from(bins, (n) => {
    const level = n === 0 ? 0 : Math.max(1, Math.round((n / most) * 8));
    return blocks ? EIGHTHS[level] : String(level);
  }).join("");
}
