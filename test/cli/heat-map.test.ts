/** Heat maps and histograms as text. */
import { describe, expect, it } from "vitest";
import { coloursOf, heatMap, histogramLine } from "../../src/cli/heat-map.ts";

const plain = { columns: 80, colours: "none" } as const;

describe("heatMap", () => {
  it("without colours: a character for two rows, from the least to the greatest", () => {
    const data = [0, 1, 2, 9, 0, 1, 2, 9];
    expect(heatMap({ height: 2, width: 4, data }, plain)).toEqual([" .:@"]);
    expect(heatMap({ height: 3, width: 1, data: [0, 0, 1] }, plain)).toEqual([" ", "@"]);
  });

  it("in colours: the upper row before, the lower one behind", () => {
    const [line, more] = heatMap({ height: 2, width: 1, data: [0, 1] }, { columns: 80, colours: "full" });
    expect(line).toBe("\x1b[38;2;68;1;84m\x1b[48;2;253;231;37m▀\x1b[0m");
    expect(more).toBeUndefined();
    const odd = heatMap({ height: 3, width: 1, data: [0, 0, 1] }, { columns: 80, colours: "full" });
    expect(odd[1]).toBe("\x1b[38;2;253;231;37m\x1b[49m▀\x1b[0m");
  });

  it("in 256 colours: the nearest of xterm's cube, red where nothing is finite", () => {
    const options = { columns: 80, colours: "256" } as const;
    expect(heatMap({ height: 2, width: 1, data: [0, 1] }, options)).toEqual([
      "\x1b[38;5;53m\x1b[48;5;220m▀\x1b[0m", // [95, 0, 95], [255, 215, 0]
    ]);
    expect(heatMap({ height: 1, width: 1, data: [NaN] }, options)[0]).toContain("38;5;196m");
  });

  it("sets a colour where it changes, and anew in every line", () => {
    const data = [0, 0, 1, 0, 0, 0, /**/ 0, 0, 1, 0, 0, 0];
    const lines = heatMap({ height: 4, width: 3, data }, { columns: 80, colours: "full" });
    const [low, high] = ["2;68;1;84m", "2;253;231;37m"];
    expect(lines).toEqual(
      Array.from({ length: 2 }, () => `\x1b[38;${low}\x1b[48;${low}▀▀\x1b[38;${high}▀\x1b[0m`),
    );
  });

  it("is averaged down to the screen's height as well, but to no less than four lines, nor where it is a list", () => {
    const matrix = { height: 64, width: 32, data: new Float32Array(2048) };
    expect(heatMap(matrix, { ...plain, rows: 19 })).toHaveLength(16);
    expect([34, 35].map((rows) => heatMap(matrix, { ...plain, rows }).length)).toEqual([16, 32]);
    expect(heatMap(matrix, { ...plain, rows: 2 })).toHaveLength(4);
    expect(heatMap(matrix, plain)).toHaveLength(32);
    expect(heatMap({ ...matrix, width: 31 }, { ...plain, rows: 19 })).toHaveLength(32);
  });

  it("averages squares where it is too wide, those that hang over as well", () => {
    const data = [0, 2, 4, 0, 2, 4, 8, 8, 12];
    // Means 1, 4 (of two), 8 (of two), 12 (alone); two rows to a character: 4.5 and 8, of 1 to 12.
    expect(heatMap({ height: 3, width: 3, data }, { columns: 2, colours: "none" })).toEqual(["-*"]);
    const [line] = heatMap(
      { height: 2, width: 4, data: [0, 0, 9, 9, 0, 0, 9, 9] },
      { columns: 2, colours: "none" },
    );
    expect(line).toBe(" @");
  });

  it("one value everywhere, nothing finite", () => {
    expect(heatMap({ height: 2, width: 2, data: [3, 3, 3, 3] }, plain)).toEqual(["  "]);
    expect(heatMap({ height: 2, width: 2, data: [NaN, 1, NaN, 2] }, plain)).toEqual(
      ["?+"].map(() => expect.stringMatching(/^\?/)),
    );
    expect(heatMap({ height: 1, width: 1, data: [Infinity] }, { columns: 8, colours: "full" })[0]).toContain(
      "255;0;0",
    );
  });
});

describe("histogramLine", () => {
  it("eighths of the greatest bin; what is not empty is seen", () => {
    expect(histogramLine([0, 1, 400, 800])).toBe(" ▁▄█");
    expect(histogramLine([0, 1, 400, 800], false)).toBe("0148");
    expect(histogramLine([0, 0])).toBe("  ");
  });
});

describe("coloursOf", () => {
  it("none but on a terminal, as many as it says, none for NO_COLOR unless it is empty", () => {
    const terminal = (bits: number): { isTTY: boolean; getColorDepth(env: object): number } => ({
      isTTY: true,
      getColorDepth: (env) => ("NO_COLOR" in env ? 1 : bits),
    });
    expect([1, 4, 8, 24].map((bits) => coloursOf(terminal(bits), {}))).toEqual([
      "none",
      "none",
      "256",
      "full",
    ]);
    expect(coloursOf(terminal(24), { NO_COLOR: "" })).toBe("full");
    expect(coloursOf(terminal(24), { NO_COLOR: "1" })).toBe("none");
    expect(coloursOf({ ...terminal(24), isTTY: false }, {})).toBe("none");
  });
});
