/** One tensor of two runs: the same plane of both and of their difference, and the numbers of a cell. */
import { rangeOf } from "../src/depict/ramp.ts";
import { el, exact, shapeText, short } from "./dom.ts";
import { cellAt, indexOf, type Plane, paintLarge, planeOf, planesOf } from "./paint.ts";
import type { CompareRow, Numbers } from "./protocol.ts";
import type { App } from "./view.ts";

const SIDE_PX = 420; // longest side of a map

/** The part of the comparison that shows one tensor. */
export interface Detail {
  readonly root: HTMLElement;
  update(row: CompareRow | undefined): void;
}

/** Makes it. */
export function compareDetail(app: App, side: number): Detail {
  const root = el("section", { class: "compare-detail", "aria-label": "The chosen tensor" });
  let shown: CompareRow | undefined;
  let part: DetailPart | undefined;
  return {
    root,
    update: (row) => {
      if (row !== shown) {
        shown = row;
        part = undefined;
        root.replaceChildren(
          el("p", { class: "soft" }, row ? "Reading both…" : "Choose a tensor to see it side by side."),
        );
        if (row?.status === "apart" || row?.status === "equal") {
          void both(app, side, row).then((pair) => {
            if (shown !== row) return;
            part = new DetailPart(app, row, pair);
            root.replaceChildren(part.root);
            part.update();
          }, app.fail);
        } else if (row) {
          const theirs = row.theirShape ? shapeText(row.theirShape) : "nothing";
          root.replaceChildren(
            el(
              "p",
              {},
              `${row.name}: ours is ${shapeText(row.ref.shape)}, theirs ${theirs}; no numbers to compare.`,
            ),
          );
        }
      }
      part?.update();
    },
  };
}

interface Pair {
  readonly ours: Numbers;
  /** Absent where the other side has samples alone. */
  readonly theirs?: Numbers;
}

async function both(app: App, side: number, { ref, name, samples }: CompareRow): Promise<Pair> {
  const ours = await app.client.tensor(ref);
  return { ours, theirs: samples ? undefined : await app.client.ask("theirs", { side, ref, name }) };
}

class DetailPart {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #row: CompareRow;
  readonly #pair: Pair;
  readonly #canvases: {
    readonly canvas: HTMLCanvasElement;
    readonly ends: HTMLElement;
    readonly what: string;
  }[];
  readonly #plane: HTMLInputElement;
  readonly #probe = el("output", { id: "compare-probe", class: "probe" });

  constructor(app: App, row: CompareRow, pair: Pair) {
    this.#app = app;
    this.#row = row;
    this.#pair = pair;
    const { count } = planesOf(row.ref.shape);
    const whats = pair.theirs ? ["ours", "theirs", "difference"] : ["ours"];
    this.#canvases = whats.map((what) => ({
      what,
      canvas: el("canvas", {
        class: "large",
        role: "img",
        "data-what": what,
        tabindex: 0,
        onclick: (event: MouseEvent) => this.#click(event),
        onkeydown: (event: KeyboardEvent) => this.#key(event),
      }),
      ends: el("div", { class: "ends" }),
    }));
    this.#plane = el("input", { type: "number", id: "compare-plane", min: 0, max: count - 1, step: 1 });
    this.#plane.addEventListener("change", () => {
      const plane = this.#plane.valueAsNumber;
      if (Number.isInteger(plane) && plane >= 0 && plane < count) app.set({ plane });
    });
    const { max = 0, std = 0 } = row;
    const about =
      row.status === "equal"
        ? "Equal in every element."
        : `At most ${short(max, 4)} apart${std > 0 ? `, ${short(max / std, 3)} of its standard deviation ${short(std, 3)}` : ""}.`;
    this.root = el(
      "div",
      {},
      el("h2", { class: "path" }, row.name, " ", el("em", {}, shapeText(row.ref.shape))),
      el(
        "p",
        {},
        about,
        row.samples ? ` The trace has ${row.samples} samples of it, so that theirs cannot be drawn.` : "",
      ),
      count > 1 && el("label", { class: "field" }, el("span", {}, `Channel, 0 to ${count - 1}`), this.#plane),
      el(
        "div",
        { class: "triple" },
        ...this.#canvases.map(({ what, canvas, ends }) =>
          el("figure", {}, el("figcaption", {}, what), canvas, ends),
        ),
      ),
      el("p", { class: "probe-line" }, this.#probe),
      el(
        "button",
        {
          type: "button",
          class: "button quiet",
          id: "compare-why",
          onclick: () => {
            const call = app.run.record.calls[row.n];
            const output = Math.max(
              0,
              call.outputs.findIndex(({ id }) => id === row.ref.id),
            );
            const { plane, cell } = app.state;
            app.go(call, { view: "maps", output, plane, cell });
          },
        },
        "Why is ours so?",
      ),
    );
  }

  get #index(): number {
    const { count } = planesOf(this.#row.ref.shape);
    return Math.min(count - 1, Math.max(0, Math.round(this.#app.state.plane)));
  }

  update(): void {
    const { ours, theirs } = this.#pair;
    const { shape } = this.#row.ref;
    const plane = this.#index;
    this.#plane.value = String(plane);
    const a = planeOf(ours, plane);
    const b = theirs && planeOf(theirs, plane);
    const [one, two] = [rangeOf(a.data), b ? rangeOf(b.data) : rangeOf(a.data)];
    const range = { min: Math.min(one.min, two.min), max: Math.max(one.max, two.max) };
    const apart = b && { ...a, data: a.data.map((x, i) => Math.abs(x - b.data[i])) };
    for (const { what, canvas, ends } of this.#canvases) {
      const shown = { ours: a, theirs: b, difference: apart }[what] as Plane;
      const own = what === "difference" ? { min: 0, max: rangeOf(shown.data).max } : range;
      paintLarge(canvas, shown, { range: own, side: SIDE_PX, cell: this.#app.state.cell });
      ends.replaceChildren(el("span", {}, short(own.min, 3)), el("span", {}, short(own.max, 3)));
      canvas.setAttribute(
        "aria-label",
        `${what}, channel ${plane}, from ${short(own.min)} to ${short(own.max)}`,
      );
    }
    const { cell } = this.#app.state;
    if (!cell || cell[0] >= a.height || cell[1] >= a.width) {
      this.#probe.textContent = "Click a map for the numbers of a cell.";
      return;
    }
    const at = cell[0] * a.width + cell[1];
    const text = shapeText(indexOf(shape, plane, cell[0], cell[1]));
    this.#probe.textContent = b
      ? `${text}: ours ${exact(a.data[at])}, theirs ${exact(b.data[at])}, ${short(a.data[at] - b.data[at], 3)} apart`
      : `${text}: ours ${exact(a.data[at])}`;
  }

  #key(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const { height, width } = planesOf(this.#row.ref.shape);
    const [row, column] = this.#app.state.cell ?? [0, 0];
    const keep = (i: number, size: number): number => Math.min(size - 1, Math.max(0, i));
    this.#app.set({ cell: [keep(row + step[0], height), keep(column + step[1], width)] });
  }

  #click(event: MouseEvent): void {
    const canvas = event.currentTarget as HTMLCanvasElement;
    this.#app.set({ cell: cellAt(event, canvas, planesOf(this.#row.ref.shape)) });
  }
}
