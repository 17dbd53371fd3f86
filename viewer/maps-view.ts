/** Feature maps as a grid, one of them large with a probe, and the arithmetic of the cell that was chosen. */
import { choice, el, exact, setControl, shapeText, short } from "./dom.ts";
import { later } from "./later.ts";
import { MapGrid } from "./map-grid.ts";
import { PlaneMoments } from "./moments.ts";
import { cellAt, indexOf, paintLarge, paintOver, paintPhoto, placeOf, planeOf, planesOf } from "./paint.ts";
import type { CallRecord, Numbers, TensorRef } from "./protocol.ts";
import type { State } from "./state.ts";
import type { App, Shown } from "./view.ts";
import { whyPanel } from "./why-panel.ts";

const ZOOM_PX = 720; // longest side of the large map

/** The view. */
export function mapsView(app: App): Shown {
  const root = el("div", { class: "view" });
  let key = "";
  let part: MapsPart | undefined;
  return {
    root,
    update: async () => {
      const { call, state } = app;
      const output = Math.min(Math.max(0, state.output), Math.max(0, call.outputs.length - 1));
      const next = `${call.n}/${output}`;
      if (next !== key) {
        key = next;
        const ref = call.outputs[output];
        if (!ref) return root.replaceChildren(el("p", {}, "This call gives no tensor."));
        const numbers = await app.client.tensor(ref).catch((error: unknown) => {
          if (key === next) key = ""; // asked for again when it is drawn again
          throw error;
        });
        if (key !== next) return;
        part = new MapsPart(app, call, output, ref, numbers);
        root.replaceChildren(part.root);
      }
      part?.update();
    },
  };
}

class MapsPart {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #call: CallRecord;
  readonly #output: number;
  readonly #ref: TensorRef;
  readonly #numbers: Numbers;
  readonly #moments: PlaneMoments;
  readonly #grid: MapGrid;
  readonly #large = el("canvas", {
    class: "large",
    id: "map",
    tabindex: 0,
    role: "img",
    "aria-describedby": "probe",
  });
  readonly #over = el("canvas", { class: "photo", role: "img", "aria-label": "This map over the picture" });
  readonly #probe = el("output", { id: "probe", class: "probe" });
  readonly #title = el("h2", {});
  readonly #index = el("input", {
    type: "text",
    id: "index",
    size: 16,
    spellcheck: "false",
    autocomplete: "off",
  });
  readonly #legend = el("div", { class: "ends" });
  readonly #why: ReturnType<typeof whyPanel>;
  #drop: () => void = () => {};
  #opacity = 0.65;

  constructor(app: App, call: CallRecord, output: number, ref: TensorRef, numbers: Numbers) {
    this.#app = app;
    this.#call = call;
    this.#output = output;
    this.#ref = ref;
    this.#numbers = numbers;
    this.#moments = new PlaneMoments(numbers);
    this.#grid = new MapGrid(numbers, this.#moments, (plane) => app.set({ plane }));
    this.#why = whyPanel(app, call, output);
    [this.#over.width, this.#over.height] = [app.run.photo.width, app.run.photo.height]; // its shape, until it is painted
    this.root = el("div", { class: "maps" });
    this.#build();
  }

  #build(): void {
    const { call } = this.#app;
    const { count, height, width } = planesOf(this.#ref.shape);
    const set = (change: Partial<State>): void => this.#app.set(change);
    const controls = el("div", { class: "controls" });
    if (call.outputs.length > 1) {
      const names = call.outputs.map(
        ({ name, shape }, i) => [String(i), `${name.split(".").at(-1)} ${shapeText(shape)}`] as const,
      );
      controls.append(
        choice("Output", "output", names, String(this.#output), (value) =>
          set({ output: Number(value), plane: 0, cell: undefined }),
        ),
      );
    }
    if (count > 1) {
      controls.append(
        choice(
          "Order",
          "order",
          [
            ["index", "number"],
            ["variance", "variance, greatest first"],
            ["mean", "mean, greatest first"],
          ],
          this.#app.state.order,
          (value) => set({ order: value as State["order"] }),
        ),
      );
      const together = el("input", {
        type: "checkbox",
        id: "together",
        onchange: () => this.#grid.update(this.#app.state, this.#plane, { together: together.checked }),
      });
      controls.append(
        el("label", { class: "field check" }, together, el("span", {}, "one range of colours for all")),
      );
    }
    this.#grid.more.addEventListener("click", () =>
      this.#grid.update(this.#app.state, this.#plane, { all: true }),
    );
    this.#large.addEventListener("pointermove", (event) => this.#tell(this.#cellAt(event)));
    this.#large.addEventListener("pointerleave", () => this.#tell());
    this.#large.addEventListener("click", (event) => set({ cell: this.#cellAt(event) }));
    this.#large.addEventListener("keydown", (event) => this.#mapKey(event));
    this.#index.addEventListener("change", () => this.#typed());
    const opacity = el("input", {
      type: "range",
      id: "opacity",
      min: 0,
      max: 1,
      step: 0.05,
      value: this.#opacity,
      oninput: () => {
        this.#opacity = opacity.valueAsNumber;
        this.#drawOver();
      },
    });
    const square =
      call.outputs[this.#output].shape.length === 4 &&
      height > 1 &&
      width > 1 &&
      isMap(this.#call, this.#ref);
    const zoom = el(
      "section",
      { class: "zoom", "aria-label": "One channel" },
      this.#title,
      el("div", { class: "frame" }, this.#large),
      el("div", { class: "ramp", "aria-hidden": "true" }),
      this.#legend,
      el("p", { class: "probe-line" }, this.#probe),
      el("label", { class: "field" }, el("span", {}, "Element"), this.#index),
    );
    const over =
      square &&
      el(
        "details",
        { open: true },
        el("summary", {}, "Over the picture"),
        this.#over,
        el("label", { class: "field wide" }, el("span", {}, "Opacity"), opacity),
      );
    this.root.append(
      el("div", { class: "side" }, zoom, this.#why.root, over),
      el("section", { class: "channels" }, controls, this.#grid.root, this.#grid.more),
    );
    if (count === 1) this.root.classList.add("single");
  }

  get #plane(): number {
    const { count } = planesOf(this.#ref.shape);
    return Math.min(count - 1, Math.max(0, Math.round(this.#app.state.plane)));
  }

  update(): void {
    const { state } = this.#app;
    setControl(this.root, "order", state.order);
    this.#drawLarge();
    this.#drop();
    if (this.root.isConnected) this.#drop = later([() => this.#drawOver()]);
    else this.#drawOver();
    const { cell } = state;
    const index = cell && indexOf(this.#ref.shape, this.#plane, cell[0], cell[1]);
    const valid = index && placeOf(this.#ref.shape, index) ? index : undefined;
    this.#index.value = valid ? valid.join(", ") : "";
    this.#tell();
    this.#why.update(valid);
    this.#grid.update(state, this.#plane); // the last, for what is in sight of it is known when all else has its size
  }

  #drawLarge(): void {
    const plane = planeOf(this.#numbers, this.#plane);
    const range = this.#moments.of(this.#plane).range;
    paintLarge(this.#large, plane, { range, side: ZOOM_PX, cell: this.#app.state.cell });
    const { shape } = this.#ref;
    const channel =
      planesOf(shape).count > 1 ? `Channel ${this.#plane} of ${planesOf(shape).count}` : "The whole output";
    this.#title.textContent = `${channel}, ${plane.height} × ${plane.width}`;
    this.#large.setAttribute(
      "aria-label",
      `${channel} as a map. Arrow keys move the chosen cell, Page Up and Page Down change the channel.`,
    );
    this.#legend.replaceChildren(el("span", {}, short(range.min)), el("span", {}, short(range.max)));
  }

  #drawOver(): void {
    if (!this.root.contains(this.#over)) return;
    const { context } = paintPhoto(this.#over, this.#app.run.photo);
    paintOver(context, planeOf(this.#numbers, this.#plane), { opacity: this.#opacity });
  }

  #cellAt(event: MouseEvent): readonly [number, number] {
    return cellAt(event, this.#large, planesOf(this.#ref.shape));
  }

  /** Says the number of a cell, or of the one that is chosen. */
  #tell(cell = this.#app.state.cell): void {
    const place = cell && placeOf(this.#ref.shape, indexOf(this.#ref.shape, this.#plane, cell[0], cell[1]));
    if (!place) {
      this.#probe.textContent =
        "Point at the map for its numbers; click a cell for the arithmetic behind it.";
      delete this.#probe.dataset.value;
      return;
    }
    const { height, width } = planesOf(this.#ref.shape);
    const value = this.#numbers.data[place.plane * height * width + place.row * width + place.column];
    this.#probe.dataset.value = String(value);
    this.#probe.textContent = `${shapeText(indexOf(this.#ref.shape, place.plane, place.row, place.column))} = ${exact(value)}`;
  }

  #typed(): void {
    const index = this.#index.value
      .replace(/[[\]\s]/g, "")
      .split(",")
      .map(Number);
    const place = this.#index.value.trim() === "" ? undefined : placeOf(this.#ref.shape, index);
    this.#index.setCustomValidity(
      place ? "" : `An index of ${shapeText(this.#ref.shape)}, as ${this.#ref.shape.map(() => 0).join(", ")}`,
    );
    if (place) this.#app.set({ plane: place.plane, cell: [place.row, place.column] });
    else this.#index.reportValidity();
  }

  #mapKey(event: KeyboardEvent): void {
    const { count, height, width } = planesOf(this.#ref.shape);
    const [row, column] = this.#app.state.cell ?? [Math.floor(height / 2), Math.floor(width / 2)];
    const keep = (x: number, size: number): number => Math.min(size - 1, Math.max(0, x));
    const cell = (r: number, c: number) => (): void =>
      this.#app.set({ cell: [keep(r, height), keep(c, width)] });
    const channel = (step: number) => (): void => this.#app.set({ plane: keep(this.#plane + step, count) });
    const moves: Readonly<Record<string, () => void>> = {
      ArrowUp: cell(row - 1, column),
      ArrowDown: cell(row + 1, column),
      ArrowLeft: cell(row, column - 1),
      ArrowRight: cell(row, column + 1),
      Enter: cell(row, column),
      PageUp: channel(-1),
      PageDown: channel(1),
      Escape: () => this.#app.set({ cell: undefined }),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }
}

/** Whether a tensor's last axes are places of the picture: maps, but no weights of attention. */
function isMap({ kind }: CallRecord, { shape }: TensorRef): boolean {
  return shape.length === 4 && kind !== "MultiheadAttention";
}
