/** Columns of text. */

/** How a column is set. */
export type Alignment = "left" | "right";

/** Rows as lines with two blanks between columns, each as wide as its widest cell. */
export function textTable(rows: readonly (readonly string[])[], alignments: readonly Alignment[]): string[] {
  const widths = alignments.map((_, column) => Math.max(0, ...rows.map((row) => widthOf(row[column]))));
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const blanks = " ".repeat(widths[column] - widthOf(cell));
      return alignments[column] === "left" ? cell + blanks : blanks + cell;
    });
    return cells.join("  ").trimEnd();
  });
}

/** In characters, not in UTF-16 units. */
function widthOf(text: string): number {
  return [...text].length;
}

/** Letters of East Asia and emoji, two columns wide on terminals; marks that take none. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NARROW = /[\p{M}\p{Cf}]/u;

/** The text, or so much of its beginning as takes at most so many columns of a terminal. */
export function fitColumns(text: string, columns: number): string {
  let [fitting, used] = ["", 0];
  for (const character of text) {
    used += NARROW.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
    if (used > columns) break;
    fitting += character;
  }
  return fitting;
}
