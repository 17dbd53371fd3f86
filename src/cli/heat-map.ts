/** Matrices as text: a cell of the terminal shows two rows, its upper and its lower half. */
import { rampColour, rangeOf, shareOf } from "../depict/ramp.ts";

const LEVELS = " .:-=+*#%@"; // from the least to the greatest, where there are no colours

/** A matrix, row-major. */
export interface Matrix {
  readonly height: number;
  readonly width: number;
  readonly data: ArrayLike<number>;
}

/** How a heat map is drawn. */
export interface HeatMapOptions {
  /** Cells of the terminal in a line; wider matrices are averaged down to it. */
  readonly columns: number;
  /** Half blocks in 24-bit colours; else a character for two rows, by their mean. */
  readonly colours: boolean;
}

/** Lines of a heat map. What is not finite is drawn as "?" (without colours) or red. */
export function heatMap(matrix: Matrix, { columns, colours }: HeatMapOptions): string[] {
  const factor = Math.max(1, Math.ceil(matrix.width / columns));
  const { height, width, data } = average(matrix, factor);
  const range = rangeOf(data);
  const share = (v: number): number => shareOf(v, range);
  const lines: string[] = [];
  for (let row = 0; row < height; row += 2) {
    let line = "";
    for (let column = 0; column < width; column++) {
      const upper = data[row * width + column];
      const lower = row + 1 < height ? data[(row + 1) * width + column] : undefined;
      line += colours ? halves(upper, lower, share) : character(upper, lower, share);
    }
    lines.push(colours ? `${line}\x1b[0m` : line);
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

function halves(upper: number, lower: number | undefined, share: (v: number) => number): string {
  const foreground = `\x1b[38;2;${rampColour(share(upper)).join(";")}m`;
  return lower === undefined
    ? `\x1b[49m${foreground}▀`
    : `${foreground}\x1b[48;2;${rampColour(share(lower)).join(";")}m▀`;
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
