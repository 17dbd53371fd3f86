/** Query selection: every token's score on the three grids, which were taken, and how close it was. */
import { type Found, findBoxes, tokenPlace } from "./boxes.ts";
import { el, short } from "./dom.ts";
import { paintOver, paintPhoto } from "./paint.ts";
import type { App, Shown } from "./view.ts";

/** The view. */
export function queriesView(app: App): Shown {
  const root = el("div", { class: "view" }, el("p", { class: "soft" }, "Reading what was chosen…"));
  let part: QueriesPart | undefined;
  return {
    root,
    update: async () => {
      if (!part) {
        part = new QueriesPart(app, await findBoxes(app.client, app.run));
        root.replaceChildren(part.root);
      }
      part.update();
    },
  };
}

class QueriesPart {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #found: Found;
  readonly #canvases: HTMLCanvasElement[] = [];
  readonly #rank: HTMLInputElement;
  readonly #text = el("p", { id: "token-text", "aria-live": "polite" });

  constructor(app: App, found: Found) {
    this.#app = app;
    this.#found = found;
    const { queries, levels, index, tokenScores } = found;
    const taken = new Set(index);
    const least = tokenScores[index[queries - 1]];
    let next = Number.NEGATIVE_INFINITY;
    for (const [token, score] of tokenScores.entries()) if (!taken.has(token) && score > next) next = score;
    const perLevel = levels.map(
      (_, level) => [...index].filter((token) => tokenPlace(levels, token).level === level).length,
    );
    this.#rank = el("input", { type: "range", id: "rank", min: 0, max: queries - 1, step: 1 });
    this.#rank.addEventListener("input", () => app.set({ query: this.#rank.valueAsNumber }));
    const grids = levels.map(([h, w], level) => {
      const canvas = el("canvas", {
        class: "photo",
        role: "img",
        "aria-label": `Level ${level}: ${perLevel[level]} of ${h * w} tokens were chosen`,
      });
      canvas.addEventListener("click", (event) => this.#click(event, level));
      this.#canvases.push(canvas);
      return el(
        "figure",
        {},
        canvas,
        el(
          "figcaption",
          {},
          `${h} × ${w} tokens, stride ${Math.round(app.run.record.imgsz[0] / h)}: `,
          el("b", {}, String(perLevel[level])),
          " chosen",
        ),
      );
    });
    this.root = el(
      "div",
      {},
      el(
        "p",
        { class: "lead" },
        `Each pixel of three maps is a token with a score: how much it looks like the middle of something. The ${queries} best of ${tokenScores.length} become queries; the others are never asked again.`,
      ),
      el("div", { class: "grids" }, ...grids),
      el("label", { class: "field wide" }, el("span", {}, "Rank, the best first"), this.#rank),
      this.#text,
      el(
        "p",
        { class: "soft", id: "margin" },
        `The last that was taken scores ${short(least, 5)}, the next ${short(next, 5)}: a margin of ${short(least - next, 3)}. Rounding may change such a choice.`,
      ),
      el(
        "p",
        { class: "soft" },
        "Colour: score of every token. Discs: those that were taken. Tokens at the border of the map take part with zeros in place of their numbers (quirk 8).",
      ),
    );
  }

  update(): void {
    const { levels, index, tokenScores, queries } = this.#found;
    const { query } = this.#app.state;
    const rank = Number.isInteger(query) && query >= 0 && query < queries ? query : 0;
    this.#rank.value = String(rank);
    const [low, high] = [Math.min(...tokenScores), Math.max(...tokenScores)];
    let first = 0;
    for (const [level, [h, w]] of levels.entries()) {
      const { context, width, height, unit } = paintPhoto(this.#canvases[level], this.#app.run.photo);
      const data = tokenScores.subarray(first, first + h * w);
      paintOver(context, { data, height: h, width: w }, { opacity: 0.55, range: { min: low, max: high } });
      first += h * w;
      for (const [q, token] of index.entries()) {
        const place = tokenPlace(levels, token);
        if (place.level !== level) continue;
        const own = q === rank;
        context.beginPath();
        context.arc(place.x * width, place.y * height, (own ? 8 : 4) * unit, 0, 2 * Math.PI);
        context.fillStyle = own ? "#ff3b6b" : "#ffffffdd";
        context.fill();
        context.strokeStyle = "#000";
        context.lineWidth = 1.5 * unit;
        context.stroke();
      }
    }
    const token = index[rank];
    const { level, row, column } = tokenPlace(levels, token);
    const score = tokenScores[token];
    this.#text.textContent = `Rank ${rank}: token ${token}, level ${level}, row ${row}, column ${column}; its best class logit is ${short(score, 5)}, a score of ${(1 / (1 + Math.exp(-score))).toFixed(4)}.`;
  }

  /** The chosen token next to the pointer. */
  #click(event: MouseEvent, level: number): void {
    const bounds = this.#canvases[level].getBoundingClientRect();
    const [x, y] = [
      (event.clientX - bounds.left) / bounds.width,
      (event.clientY - bounds.top) / bounds.height,
    ];
    const { levels, index } = this.#found;
    let best = { q: -1, distance: Number.POSITIVE_INFINITY };
    for (const [q, token] of index.entries()) {
      const place = tokenPlace(levels, token);
      const distance =
        place.level === level ? Math.hypot(place.x - x, place.y - y) : Number.POSITIVE_INFINITY;
      if (distance < best.distance) best = { q, distance };
    }
    if (best.q >= 0) this.#app.set({ query: best.q });
  }
}
