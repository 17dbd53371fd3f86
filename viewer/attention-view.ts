/** Attention: from one token to all, head by head, and the mean of the heads. */
import { type Found, findBoxes } from "./boxes.ts";
import { choice, el, short } from "./dom.ts";
import { paintOver, paintPhoto, strokeFrame } from "./paint.ts";
import type { CallRecord, Numbers, TensorRef } from "./protocol.ts";
import type { App, Shown } from "./view.ts";

/** What tokens are: pixels of a map, pixels as keys alone, or queries of the decoder. */
type Tokens = "pixels" | "keys" | "queries";

const LISTED = 8;

/** The view. */
export function attentionView(app: App): Shown {
  const root = el("div", { class: "view" });
  const calls = app.run.record.calls.filter((call) => weightsOf(call) !== undefined);
  let shown: CallRecord | undefined;
  let part: AttentionPart | undefined;
  return {
    root,
    update: async () => {
      const call = calls.find(({ path }) => path === app.state.attention) ?? calls[0];
      const ref = call && weightsOf(call);
      if (!call || !ref) return root.replaceChildren(el("p", {}, "This network has no attention."));
      if (call !== shown) {
        shown = call;
        const [weights, found] = [await app.client.tensor(ref), await findBoxes(app.client, app.run)];
        if (shown !== call) return;
        part = new AttentionPart(app, { calls, call, weights, found });
        root.replaceChildren(part.root);
      }
      part?.update();
    },
  };
}

function weightsOf({ values }: CallRecord): TensorRef | undefined {
  return values.find(({ name }) => name.endsWith(".attention"));
}

interface Parts {
  readonly calls: readonly CallRecord[];
  readonly call: CallRecord;
  readonly weights: Numbers;
  readonly found: Found;
}

class AttentionPart {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #parts: Parts;
  readonly #tokens: Tokens;
  readonly #side: readonly [rows: number, columns: number];
  readonly #large = el("canvas", { class: "photo", id: "attention", tabindex: 0, role: "img" });
  readonly #panels = el("div", { class: "heads", role: "group", "aria-label": "Heads" });
  readonly #token: HTMLInputElement;
  readonly #list = el("ol", { class: "tokens" });
  readonly #title = el("h2", {});

  constructor(app: App, parts: Parts) {
    this.#app = app;
    this.#parts = parts;
    const { calls, call, weights, found } = parts;
    const [, heads, queries, keys] = weights.shape;
    this.#tokens =
      call.kind === "MultiQueryAttention" ? "keys" : call.path.includes(".self_attn") ? "queries" : "pixels";
    const [height, width] = app.run.record.imgsz;
    const rows = Math.round(Math.sqrt((keys * height) / width));
    this.#side = [rows, Math.round(keys / rows)];
    this.#token = el("input", { type: "number", id: "token", min: 0, max: queries - 1, step: 1 });
    this.#token.addEventListener("change", () => {
      const token = this.#token.valueAsNumber;
      if (Number.isInteger(token) && token >= 0 && token < queries) app.set({ token });
      else this.#token.value = String(this.#asking);
    });
    this.#large.addEventListener("click", (event) => this.#click(event));
    this.#large.addEventListener("keydown", (event) => this.#key(event));
    for (let head = -1; head < heads; head++) {
      const canvas = el("canvas", { class: "photo", "aria-hidden": "true" });
      const name = head < 0 ? "mean" : `head ${head}`;
      this.#panels.append(
        el(
          "button",
          {
            type: "button",
            class: "head-tile",
            "data-head": head,
            "aria-pressed": "false",
            onclick: () => app.set({ head }),
          },
          canvas,
          el("span", {}, name),
        ),
      );
    }
    const what = {
      pixels:
        "Tokens are the pixels of the coarsest map. Click the picture: from that place, where does the network look?",
      keys: "Keys are pixels of the map; the tokens that ask are no pixels, for the map is re-viewed and not transposed (quirk 2).",
      queries: `Tokens are the ${found.queries} queries. From one of them to all: which boxes does it compare itself with?`,
    }[this.#tokens];
    this.root = el(
      "div",
      {},
      el("p", { class: "lead" }, what),
      el(
        "div",
        { class: "controls" },
        choice(
          "Attention of",
          "attention-layer",
          calls.map(({ path }) => [path, path] as const),
          call.path,
          (attention) => app.set({ attention, token: -1, head: -1 }),
        ),
        el("label", { class: "field" }, el("span", {}, `Asking token, 0 to ${queries - 1}`), this.#token),
      ),
      el(
        "div",
        { class: "attention" },
        el("section", { class: "stage" }, this.#title, this.#large),
        el("section", { class: "side" }, this.#panels, el("h2", {}, "Looked at most"), this.#list),
      ),
    );
  }

  /** The token that asks: the one chosen, else one that says something, for a page that is opened. */
  get #asking(): number {
    const { token } = this.#app.state;
    const queries = this.#parts.weights.shape[2];
    if (Number.isInteger(token) && token >= 0 && token < queries) return token;
    if (this.#tokens === "queries") return 0;
    const [rows, columns] = this.#side;
    return this.#tokens === "pixels" ? Math.floor(rows / 2) * columns + Math.floor(columns / 2) : 0;
  }

  /** Weights of a head, -1 the mean, from the asking token. */
  #row(head: number): Float32Array {
    const { shape, data } = this.#parts.weights;
    const [, heads, queries, keys] = shape;
    const of = (h: number): Float32Array => {
      const start = (h * queries + this.#asking) * keys;
      return (data as Float32Array).subarray(start, start + keys);
    };
    if (head >= 0) return of(head);
    const mean = new Float32Array(keys);
    for (let h = 0; h < heads; h++) for (const [i, w] of of(h).entries()) mean[i] += w / heads;
    return mean;
  }

  update(): void {
    const heads = this.#parts.weights.shape[1];
    const { head: wanted } = this.#app.state;
    const head = Number.isInteger(wanted) && wanted >= 0 && wanted < heads ? wanted : -1;
    this.#token.value = String(this.#asking);
    for (const button of this.#panels.children as HTMLCollectionOf<HTMLElement>) {
      const own = Number(button.dataset.head);
      button.setAttribute("aria-pressed", String(own === head));
      this.#paint(button.querySelector("canvas") as HTMLCanvasElement, own);
    }
    this.#paint(this.#large, head);
    const name = head < 0 ? `Mean of ${heads} heads` : `Head ${head}`;
    this.#title.textContent = `${name}, from token ${this.#asking}`;
    this.#large.setAttribute(
      "aria-label",
      `${name}: attention from token ${this.#asking} over the picture. Arrow keys move the token.`,
    );
    const row = this.#row(head);
    const best = [...row.entries()].sort((a, b) => b[1] - a[1]).slice(0, LISTED);
    this.#list.replaceChildren(
      ...best.map(([token, weight]) => {
        const bar = el("i", { class: "bar" });
        bar.style.setProperty("--share", `${((100 * weight) / best[0][1]).toFixed(1)}%`);
        const at =
          this.#tokens === "queries"
            ? ""
            : ` (row ${Math.floor(token / this.#side[1])}, column ${token % this.#side[1]})`;
        return el(
          "li",
          {},
          el("span", {}, `token ${token}${at}`),
          el("span", { class: "score" }, short(weight)),
          bar,
        );
      }),
    );
  }

  #paint(canvas: HTMLCanvasElement, head: number): void {
    const row = this.#row(head);
    const [rows, columns] = this.#side;
    const { context, width, height, unit } = paintPhoto(canvas, this.#app.run.photo, 0.6);
    if (this.#tokens === "queries") {
      this.#paintBoxes(context, row, unit);
      return;
    }
    paintOver(context, { data: row, height: rows, width: columns });
    if (this.#tokens === "keys") return;
    const [x, y] = [this.#asking % columns, Math.floor(this.#asking / columns)];
    strokeFrame(
      context,
      [(x * width) / columns, (y * height) / rows, width / columns, height / rows],
      2.5 * unit,
    );
  }

  #paintBoxes(context: CanvasRenderingContext2D, row: Float32Array, unit: number): void {
    const { width, height } = context.canvas;
    const stage = Number(/layers\.(\d+)\./.exec(this.#parts.call.path)?.[1] ?? 0);
    const boxes = this.#parts.found.boxes[stage]; // those that the layer starts from
    // The asking query attends to itself most: the others are drawn in proportion to the greatest of them.
    const most = Math.max(...row.filter((_, q) => q !== this.#asking));
    const draw = (q: number, colour: string, line: number): void => {
      const [cx, cy, w, h] = boxes.subarray(4 * q, 4 * q + 4);
      context.strokeStyle = colour;
      context.lineWidth = line * unit;
      context.strokeRect((cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height);
    };
    const order = [...row.keys()].filter((q) => q !== this.#asking).sort((a, b) => row[a] - row[b]);
    for (const q of order) {
      context.globalAlpha = Math.min(1, Math.max(0.04, row[q] / most));
      draw(q, "#fde725", 1 + 2.5 * (row[q] / most));
    }
    context.globalAlpha = 1;
    draw(this.#asking, "#000", 5);
    draw(this.#asking, "#fff", 2.5);
  }

  #click(event: MouseEvent): void {
    const bounds = this.#large.getBoundingClientRect();
    const [x, y] = [
      (event.clientX - bounds.left) / bounds.width,
      (event.clientY - bounds.top) / bounds.height,
    ];
    const [rows, columns] = this.#side;
    if (this.#tokens === "pixels") {
      const within = (share: number, size: number): number => Math.min(size - 1, Math.floor(share * size));
      this.#app.set({ token: within(y, rows) * columns + within(x, columns) });
      return;
    }
    if (this.#tokens !== "queries") return;
    const stage = Number(/layers\.(\d+)\./.exec(this.#parts.call.path)?.[1] ?? 0);
    const boxes = this.#parts.found.boxes[stage];
    let best = { q: 0, distance: Number.POSITIVE_INFINITY };
    for (let q = 0; q < this.#parts.found.queries; q++) {
      const distance = Math.hypot(boxes[4 * q] - x, boxes[4 * q + 1] - y);
      if (distance < best.distance) best = { q, distance };
    }
    this.#app.set({ token: best.q });
  }

  #key(event: KeyboardEvent): void {
    const columns = this.#tokens === "queries" ? 1 : this.#side[1];
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const next = this.#asking + step;
    if (next >= 0 && next < this.#parts.weights.shape[2]) this.#app.set({ token: next });
  }
}
