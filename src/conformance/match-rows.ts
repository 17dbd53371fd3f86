/**
 * Detections compared as sets. Top-k is discontinuous: rounding may reorder queries, so row i of one run need not be row i of
 * another. Rows are matched by what they hold, never by index, and a tolerance is never loosened for the order.
 */
import { fail } from "../errors.ts";

/** How the rows of two results go together. */
export interface RowMatch {
  /** For each row of the first, the row of the second that is its own: no row is used twice. */
  readonly partner: Int32Array;
  /** For each row of the first, the largest absolute difference to its partner; NaN if either holds a NaN. */
  readonly distance: Float64Array;
  /** Median of `distance` (the lower of two middle ones); NaN if there is a NaN. */
  readonly median: number;
  /** Maximum of `distance`; NaN if there is a NaN. */
  readonly max: number;
  /** Rows whose nearest row was taken by another, so that they got a farther one: 0 where results agree. */
  readonly displaced: number;
}

/**
 * Matches the rows of `a` and `b` [rows, columns], row-major, one to one: the nearest pairs first, by the largest absolute
 * difference over the columns. Throws `argument` if the two have not the same number of rows.
 */
export function matchRows(a: ArrayLike<number>, b: ArrayLike<number>, columns: number): RowMatch {
  const rows = columns === 0 ? 0 : a.length / columns;
  if (!Number.isInteger(rows) || b.length !== a.length) {
    fail(
      "argument",
      "matchRows",
      `two arrays of equally many rows of ${columns}`,
      `${a.length} and ${b.length} numbers`,
    );
  }
  const distances = new Float64Array(rows * rows);
  const pairs = new Uint32Array(rows * rows);
  const nearest = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) {
      const at = i * rows + j;
      pairs[at] = at;
      distances[at] = rowDistance(a, i * columns, b, j * columns, columns);
      if (distances[at] < nearest[i]) nearest[i] = distances[at];
    }
  }
  // NaN pairs come last: they are taken only by rows that nothing else is left for.
  const rank = (at: number): number =>
    Number.isNaN(distances[at]) ? Number.POSITIVE_INFINITY : distances[at];
  pairs.sort((p, q) => {
    const [x, y] = [rank(p), rank(q)];
    return x < y ? -1 : x > y ? 1 : p - q;
  });
  const partner = new Int32Array(rows).fill(-1);
  const taken = new Uint8Array(rows);
  const distance = new Float64Array(rows);
  let displaced = 0;
  for (const at of pairs) {
    const i = Math.floor(at / rows);
    const j = at % rows;
    if (partner[i] >= 0 || taken[j]) continue;
    partner[i] = j;
    taken[j] = 1;
    distance[i] = distances[at];
    if (!(distance[i] <= nearest[i])) displaced++;
  }
  const sorted = distance.slice().sort(); // typed arrays sort NaN to the end
  const anyNaN = rows > 0 && Number.isNaN(sorted[rows - 1]);
  return {
    partner,
    distance,
    median: anyNaN ? Number.NaN : sorted[(rows - 1) >> 1],
    max: sorted[rows - 1],
    displaced,
  };
}

/** Greatest absolute difference of two rows that begin at `i` and `j`; NaN if either holds a NaN. */
export function rowDistance(
  a: ArrayLike<number>,
  i: number,
  b: ArrayLike<number>,
  j: number,
  columns: number,
): number {
  let most = 0;
  for (let c = 0; c < columns; c++) {
    const x = a[i + c];
    const y = b[j + c];
    const apart = x === y ? 0 : Math.abs(x - y); // infinities that agree are no distance apart
    if (!(apart <= most)) most = apart;
    if (Number.isNaN(most)) return most;
  }
  return most;
}
