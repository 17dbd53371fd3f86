/** The decoder: boxes after each layer, the trail of one query, what it looked at, and the threshold. */
import { bestOf, type Found, findBoxes } from "./boxes.ts";
import { el, setControl, short, slider } from "./dom.ts";
import { CLASS_COLOURS, LEVEL_COLOURS, paintLabel, paintPhoto } from "./paint.ts";
import type { App, Shown } from "./view.ts";

type Box = readonly [x: number, y: number, width: number, height: number];

/** The view. */
export function boxesView(app: App): Shown {
  const root = el("div", { class: "view" }, el("p", { class: "soft" }, "Reading what was found…"));
  let found: Found | undefined;
  let part: BoxesPart | undefined;
  return {
    root,
    update: async () => {
      if (!found || !part) {
        found = await findBoxes(app.client, app.run);
        part = new BoxesPart(app, found);
        root.replaceChildren(part.root);
      }
      await part.update();
    },
  };
}

class BoxesPart {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #found: Found;
  readonly #canvas = el("canvas", {
    class: "photo",
    id: "boxes",
    tabindex: 0,
    role: "img",
    "aria-label": "The picture with boxes. Click a box for its query; left and right change the query.",
  });
  readonly #count = el("output", { id: "box-count" });
  readonly #query = el("section", { class: "query", "aria-label": "The chosen query" });
  readonly #number = el("input", { type: "number", id: "query", min: 0, step: 1 });
  readonly #stageText = el("p", { class: "soft", id: "stage-text" });

  constructor(app: App, found: Found) {
    this.#app = app;
    this.#found = found;
    const { layers, queries } = found;
    const stages = (value: number): string =>
      value === 0 ? "as selected" : `after layer ${value} of ${layers}`;
    this.#number.max = String(queries - 1);
    this.#number.addEventListener("change", () => {
      const q = this.#number.valueAsNumber;
      app.set({ query: Number.isInteger(q) && q >= 0 && q < queries ? q : -1 });
    });
    this.#canvas.addEventListener("click", (event) => this.#click(event));
    this.#canvas.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === "Escape") app.set({ query: -1 });
      if (!step) return;
      event.preventDefault();
      const seen = this.#seen();
      const list = seen.length > 0 ? seen : Array.from({ length: queries }, (_, q) => q);
      const at = list.indexOf(app.state.query);
      app.set({
        query:
          list[(at < 0 ? (step > 0 ? 0 : -1) : at + step + list.length) % list.length] ??
          list[list.length - 1],
      });
    });
    this.root = el(
      "div",
      { class: "decoder" },
      el(
        "section",
        { class: "stage" },
        this.#canvas,
        el(
          "div",
          { class: "controls" },
          slider(
            "Decoder layer",
            "stage",
            { min: 0, max: layers, step: 1, value: this.#stage },
            stages,
            (stage) => app.set({ stage }),
          ),
          slider(
            "Score threshold",
            "threshold",
            { min: 0, max: 0.99, step: 0.01, value: app.state.threshold },
            (x) => x.toFixed(2),
            (threshold) => app.set({ threshold }),
          ),
        ),
        el("p", { class: "count" }, this.#count),
        this.#stageText,
      ),
      el(
        "div",
        { class: "side" },
        el("label", { class: "field" }, el("span", {}, `Query, 0 to ${queries - 1}`), this.#number),
        this.#query,
      ),
    );
  }

  get #stage(): number {
    return Math.min(this.#found.layers, Math.max(0, Math.round(this.#app.state.stage)));
  }

  /** Queries that score more than the threshold. */
  #seen(): number[] {
    const { queries, scores, classes } = this.#found;
    const all = Array.from({ length: queries }, (_, q) => q);
    return all.filter((q) => bestOf(scores, classes, q).score > this.#app.state.threshold);
  }

  #box(q: number, stage: number): Box {
    const [cx, cy, w, h] = this.#found.boxes[stage].subarray(4 * q, 4 * q + 4);
    const { width, height } = this.#canvas;
    return [(cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height];
  }

  #chosen(): number {
    const { query } = this.#app.state;
    return Number.isInteger(query) && query >= 0 && query < this.#found.queries ? query : -1;
  }

  async update(): Promise<void> {
    const stage = this.#stage;
    const q = this.#chosen();
    const seen = this.#seen();
    const { scores, classes, layers } = this.#found;
    setControl(this.root, "stage", stage);
    setControl(this.root, "threshold", this.#app.state.threshold);
    this.#number.value = q < 0 ? "" : String(q);
    this.#count.textContent = seen.length === 1 ? "1 box" : `${seen.length} boxes`;
    this.#count.dataset.count = String(seen.length);
    this.#stageText.textContent =
      stage === 0
        ? "Boxes as query selection guessed them, shown for the queries that score above the threshold at the end."
        : `Boxes after ${stage} of ${layers} layers. Scores are those of the end: only the last score head runs. Two queries may find the same thing: nothing is suppressed.`;
    const sampling = q >= 0 && stage > 0 ? await this.#sampling(q, stage) : [];
    if (q !== this.#chosen() || stage !== this.#stage) return;
    const { context, width, height, unit } = paintPhoto(this.#canvas, this.#app.run.photo, q >= 0 ? 0.35 : 0);
    for (const own of seen) {
      if (own === q) continue;
      const { classId, score } = bestOf(scores, classes, own);
      const colour = CLASS_COLOURS[classId % CLASS_COLOURS.length];
      this.#outline(context, this.#box(own, stage), colour, 3 * unit, q >= 0 ? 0.45 : 1);
      if (q < 0)
        this.#label(
          context,
          own,
          stage,
          `${this.#app.run.record.names[classId]} ${score.toFixed(2)}`,
          colour,
          unit,
        );
    }
    if (q >= 0) {
      this.#trail(context, q, stage, unit);
      const { classId, score } = bestOf(scores, classes, q);
      const colour = CLASS_COLOURS[classId % CLASS_COLOURS.length];
      this.#outline(context, this.#box(q, stage), colour, 4 * unit, 1);
      for (const { x, y, weight, level } of sampling) {
        context.beginPath();
        context.arc(
          x * width,
          y * height,
          Math.max(1.5 * unit, Math.sqrt(weight) * 13 * unit),
          0,
          2 * Math.PI,
        );
        context.fillStyle = `${LEVEL_COLOURS[level]}aa`;
        context.fill();
        context.strokeStyle = "#000000aa";
        context.lineWidth = unit;
        context.stroke();
      }
      this.#label(
        context,
        q,
        stage,
        `query ${q}: ${this.#app.run.record.names[classId]} ${score.toFixed(2)}`,
        colour,
        unit,
      );
    }
    this.#describe(q, stage, sampling.length);
  }

  #outline(
    context: CanvasRenderingContext2D,
    [x, y, w, h]: Box,
    colour: string,
    line: number,
    alpha: number,
  ): void {
    context.globalAlpha = alpha;
    for (const [stroke, width] of [
      ["#000", line * 1.8],
      [colour, line],
    ] as const) {
      context.strokeStyle = stroke;
      context.lineWidth = width;
      context.strokeRect(x, y, w, h);
    }
    context.globalAlpha = 1;
  }

  #label(
    context: CanvasRenderingContext2D,
    q: number,
    stage: number,
    text: string,
    ground: string,
    unit: number,
  ): void {
    const [x, y] = this.#box(q, stage);
    paintLabel(context, text, [x, y], { unit, ground });
  }

  /** Boxes of earlier layers, dashed, and the way of the centre. */
  #trail(context: CanvasRenderingContext2D, q: number, stage: number, unit: number): void {
    context.setLineDash([6 * unit, 4 * unit]);
    for (let i = 0; i < stage; i++) {
      context.strokeStyle = `rgba(255, 255, 255, ${0.45 + (0.4 * i) / Math.max(1, stage)})`;
      context.lineWidth = 1.5 * unit;
      context.strokeRect(...this.#box(q, i));
    }
    context.setLineDash([]);
    const centres = Array.from({ length: stage + 1 }, (_, i) => {
      const [x, y, w, h] = this.#box(q, i);
      return [x + w / 2, y + h / 2] as const;
    });
    context.strokeStyle = "#fff";
    context.lineWidth = 2 * unit;
    context.beginPath();
    for (const [i, [x, y]] of centres.entries()) i === 0 ? context.moveTo(x, y) : context.lineTo(x, y);
    context.stroke();
    const [x, y] = centres[Math.max(0, stage - 1)]; // the reference point that this layer started from
    context.beginPath();
    context.moveTo(x - 7 * unit, y);
    context.lineTo(x + 7 * unit, y);
    context.moveTo(x, y - 7 * unit);
    context.lineTo(x, y + 7 * unit);
    context.lineWidth = 3 * unit;
    context.stroke();
  }

  /** The points that a layer reads for a query, the lightest last. */
  async #sampling(
    q: number,
    stage: number,
  ): Promise<{ x: number; y: number; weight: number; level: number }[]> {
    const call = this.#found.cross[stage - 1];
    const ref = (name: string) => call?.values.find((value) => value.name.endsWith(name));
    const [where, how] = [ref(".sampling_locations"), ref(".sampling_weights")];
    if (!where || !how) return [];
    const [locations, weights] = await Promise.all([
      this.#app.client.tensor(where),
      this.#app.client.tensor(how),
    ]);
    const [, , heads, levels, points] = how.shape;
    const many = heads * levels * points;
    return Array.from({ length: many }, (_, i) => ({
      x: locations.data[2 * (q * many + i)],
      y: locations.data[2 * (q * many + i) + 1],
      weight: weights.data[q * many + i],
      level: Math.floor(i / points) % levels,
    })).sort((a, b) => b.weight - a.weight);
  }

  #describe(q: number, stage: number, points: number): void {
    if (q < 0) {
      this.#query.replaceChildren(
        el("h2", {}, "No query chosen"),
        el(
          "p",
          { class: "soft" },
          "Click a box, or give a query's number: then its way through the layers appears, and the points of the picture that it reads.",
        ),
      );
      return;
    }
    const { classes, scores, firstScores, boxes } = this.#found;
    const from = stage === 0 ? firstScores : scores;
    const { names, width, height } = this.#app.run.record;
    const bars = Array.from({ length: classes }, (_, k) => {
      const score = from[q * classes + k];
      const bar = el("i", { class: "bar" });
      bar.style.setProperty("--share", `${(100 * score).toFixed(2)}%`);
      bar.style.setProperty("--colour", CLASS_COLOURS[k % CLASS_COLOURS.length]);
      return el(
        "li",
        { "data-class": k },
        el("span", {}, names[k]),
        el("span", { class: "score" }, score.toFixed(4)),
        bar,
      );
    });
    const [cx, cy, w, h] = boxes[stage].subarray(4 * q, 4 * q + 4);
    const pixels = [(cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height].map((x) =>
      x.toFixed(1),
    );
    this.#query.replaceChildren(
      el("h2", {}, `Query ${q}`),
      el("p", { class: "soft" }, stage === 0 ? "Class scores at the selection" : "Class scores at the end"),
      el("ul", { class: "scores" }, ...bars),
      el("p", {}, `Box: x ${pixels[0]}, y ${pixels[1]}, ${pixels[2]} × ${pixels[3]} pixels`),
      ...(stage > 0
        ? [
            el(
              "p",
              { class: "soft" },
              `Moved by this layer: ${short(this.#moved(q, stage), 3)} pixels. The cross is the point that it started from.`,
            ),
          ]
        : []),
      ...(points > 0
        ? [
            el("p", {}, `${points} points were read, as large as their weight:`),
            el(
              "ul",
              { class: "legend" },
              ...["fine map, stride 8", "middle map, stride 16", "coarse map, stride 32"].map((text, i) => {
                const mark = el("i", {});
                mark.style.background = LEVEL_COLOURS[i];
                return el("li", {}, mark, text);
              }),
            ),
          ]
        : []),
    );
  }

  #moved(q: number, stage: number): number {
    const { boxes } = this.#found;
    const { width, height } = this.#app.run.record;
    const by = (axis: number): number => boxes[stage][4 * q + axis] - boxes[stage - 1][4 * q + axis];
    return Math.hypot(by(0) * width, by(1) * height);
  }

  /** The smallest box under the pointer. */
  #click(event: MouseEvent): void {
    const bounds = this.#canvas.getBoundingClientRect();
    const [x, y] = [
      ((event.clientX - bounds.left) / bounds.width) * this.#canvas.width,
      ((event.clientY - bounds.top) / bounds.height) * this.#canvas.height,
    ];
    const hit = this.#seen()
      .map((q) => ({ q, box: this.#box(q, this.#stage) }))
      .filter(({ box: [left, top, w, h] }) => x >= left && x <= left + w && y >= top && y <= top + h)
      .sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3]);
    this.#app.set({ query: hit[0]?.q ?? -1 });
  }
}
