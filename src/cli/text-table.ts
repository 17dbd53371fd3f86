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
