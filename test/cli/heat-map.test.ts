/** Heat maps and histograms as text. */
import { describe, expect, it } from "vitest";
import { heatMap, histogramLine } from "../../src/cli/heat-map.ts";

const plain = { columns: 80, colours: false };

describe("heatMap", () => {
  it("without colours: a character for two rows, from the least to the greatest", () => {
    const data = [0, 1, 2, 9, 0, 1, 2, 9];
    expect(heatMap({ height: 2, width: 4, data }, plain)).toEqual([" .:@"]);
    expect(heatMap({ height: 3, width: 1, data: [0, 0, 1] }, plain)).toEqual([" ", "@"]);
  });

  it("in colours: the upper row before, the lower one behind", () => {
    const [line, more] = heatMap({ height: 2, width: 1, data: [0, 1] }, { columns: 80, colours: true });
    expect(line).toBe("\x1b[38;2;68;1;84m\x1b[48;2;253;231;37m▀\x1b[0m");
    expect(more).toBeUndefined();
    const odd = heatMap({ height: 3, width: 1, data: [0, 0, 1] }, { columns: 80, colours: true });
    expect(odd[1]).toBe("\x1b[49m\x1b[38;2;253;231;37m▀\x1b[0m");
  });

  it("averages squares where it is too wide, those that hang over as well", () => {
    const data = [0, 2, 4, 0, 2, 4, 8, 8, 12];
    expect(heatMap({ height: 3, width: 3, data }, { columns: 2, colours: false })).toEqual(
      [" +"].map(() => expect.any(String)),
    );
    const [line] = heatMap(
      { height: 2, width: 4, data: [0, 0, 9, 9, 0, 0, 9, 9] },
      { columns: 2, colours: false },
    );
    expect(line).toBe(" @");
  });

  it("one value everywhere, nothing finite", () => {
    expect(heatMap({ height: 2, width: 2, data: [3, 3, 3, 3] }, plain)).toEqual(["  "]);
    expect(heatMap({ height: 2, width: 2, data: [NaN, 1, NaN, 2] }, plain)).toEqual(
      ["?+"].map(() => expect.stringMatching(/^\?/)),
    );
    expect(heatMap({ height: 1, width: 1, data: [Infinity] }, { columns: 8, colours: true })[0]).toContain(
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
