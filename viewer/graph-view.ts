/** The network as a map: boxes that unfold, how data goes between them with its shape, coloured by what they cost. */
import type { Lineage } from "../src/inspect/index.ts";
import { choice, el, setControl } from "./dom.ts";
import { type Flow, flowOf } from "./flow.ts";
import { type FlowLayout, layOut } from "./flow-layout.ts";
import { graphCard } from "./graph-card.ts";
import { drawGraph } from "./graph-drawing.ts";
import { BARS, measureText } from "./measure.ts";
import type { CallRecord } from "./protocol.ts";
import type { State } from "./state.ts";
import type { App, Shown } from "./view.ts";

const ZOOMS = [0.4, 0.55, 0.7, 0.85, 1, 1.25, 1.6, 2] as const;
const LEAST_LEGIBLE = 0.7;

/** The view. */
export function graphView(app: App): Shown {
  const root = el("div", { class: "view" }, el("p", { class: "soft" }, "Following the data…"));
  let part: GraphPart | undefined;
  return {
    root,
    update: async () => {
      if (!part) {
        part = new GraphPart(app, await app.client.ask("lineage", {}));
        root.replaceChildren(part.root);
      }
      part.update();
    },
  };
}

/** The names of open calls as the address has them. */
export function openNames(state: Readonly<State>): string[] {
  return state.open === "" ? [] : state.open.split("~");
}

class GraphPart {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #lineage: Lineage;
  readonly #calls: readonly CallRecord[];
  readonly #within: readonly number[]; // how many calls each holds
  readonly #shapes: readonly (readonly (readonly number[])[])[];
  readonly #scroll = el("div", { class: "graph-scroll" });
  readonly #card = el("section", {
    class: "graph-card",
    "aria-label": "The chosen part",
    "aria-live": "polite",
  });
  readonly #legend = el("div", { class: "graph-legend" });
  readonly #zoom = el("output", {});
  #svg: SVGSVGElement | undefined;
  #flow: Flow = { boxes: [], edges: [], frames: [] };
  #layout: FlowLayout | undefined;
  #drawn = "";
  #scale = 1;

  constructor(app: App, lineage: Lineage) {
    this.#app = app;
    this.#lineage = lineage;
    this.#calls = app.run.record.calls;
    const within = this.#calls.map(() => 0);
    for (const { parent } of this.#calls) if (parent >= 0) within[parent]++;
    this.#within = within;
    this.#shapes = this.#calls.map(({ outputs }) => outputs.map(({ shape }) => shape));
    const zoom = (step: number, label: string, text: string): HTMLElement =>
      el(
        "button",
        {
          type: "button",
          class: "button quiet step",
          "aria-label": label,
          onclick: () => this.#zoomBy(step),
        },
        text,
      );
    const bars = choice("Colour", "graph-bar", BARS, app.state.bar, (bar) =>
      app.set({ bar: bar as State["bar"] }),
    );
    this.root = el(
      "div",
      { class: "graph" },
      el(
        "p",
        { class: "lead" },
        "Data goes down the page as the network runs; to the right maps are coarser. Choose a part to read about it, choose it again to see what is inside.",
      ),
      el(
        "div",
        { class: "controls" },
        bars,
        this.#legend,
        el("div", { class: "zooms" }, zoom(-1, "Smaller", "−"), this.#zoom, zoom(1, "Larger", "+")),
        el(
          "button",
          { type: "button", class: "button quiet", id: "fold-all", onclick: () => app.set({ open: "" }) },
          "Fold all",
        ),
      ),
      el("div", { class: "graph-columns" }, this.#scroll, this.#card),
    );
    this.#scroll.addEventListener("click", (event) => this.#click(event));
    this.#scroll.addEventListener("keydown", (event) => this.#key(event));
  }

  update(): void {
    const { state } = this.#app;
    const drawn = `${state.open}/${state.bar}`;
    if (drawn !== this.#drawn) {
      const first = this.#drawn === "";
      const fewer = !first && drawn.split("/")[0] !== this.#drawn.split("/")[0];
      this.#drawn = drawn;
      this.#draw(fewer);
      if (first) {
        this.#fit();
        this.#reveal();
      }
    }
    setControl(this.root, "graph-bar", state.bar);
    this.#mark();
    this.#describe();
  }

  #name(n: number): string {
    const { path, turn } = this.#calls[n];
    return turn > 1 ? `${path}#${turn}` : path;
  }

  #draw(keepPlace: boolean): void {
    const { bar } = this.#app.state;
    const open = new Set(openNames(this.#app.state));
    const focused = this.#focused();
    const before = keepPlace ? this.#topOf(this.#app.call.n) : undefined;
    this.#flow = flowOf(this.#lineage, (n) => open.has(this.#name(n)));
    const parents = this.#lineage.calls.map(({ parent }) => parent);
    const layout = layOut(this.#flow, this.#shapes, parents, this.#app.run.record.imgsz[0]);
    this.#layout = layout;
    const { svg, most } = drawGraph({
      flow: this.#flow,
      layout,
      calls: this.#calls,
      within: this.#within,
      bar,
    });
    this.#svg = svg;
    this.#scroll.replaceChildren(svg);
    this.#size();
    this.#legend.replaceChildren(
      el("span", { class: "soft" }, "none"),
      el("i", { class: "cost-ramp", "aria-hidden": "true" }),
      el("span", { class: "soft", id: "graph-most" }, measureText(most, bar)),
    );
    if (before !== undefined) {
      const after = this.#topOf(this.#app.call.n);
      if (after !== undefined) this.#scroll.scrollTop += after - before;
    }
    if (focused) this.#focusOn(focused);
  }

  /** Marks what is chosen, and the lines that come to it and go from it. */
  #mark(): void {
    if (!this.#svg) return;
    const shown = this.#shownAs(this.#app.call.n);
    const at = this.#flow.boxes.findIndex(({ kind, n }) => kind === "call" && n === shown);
    for (const one of this.#parts()) {
      const own = Number(one.dataset.n) === shown;
      one.classList.toggle("chosen", own);
      one.setAttribute("aria-pressed", String(own));
      one.setAttribute("tabindex", own ? "0" : "-1");
    }
    if (!this.#svg.querySelector("[tabindex='0']")) this.#parts()[0]?.setAttribute("tabindex", "0");
    for (const line of this.#svg.querySelectorAll<SVGElement>(".flow")) {
      const { from, to } = line.dataset;
      line.classList.toggle("near", at >= 0 && (Number(from) === at || Number(to) === at));
    }
  }

  /** The call itself where it is seen, else the innermost one around it that is. */
  #shownAs(n: number): number {
    const seen = new Set(this.#parts().map(({ dataset }) => Number(dataset.n)));
    for (let at = n; at > 0; at = this.#calls[at].parent) if (seen.has(at)) return at;
    return -1;
  }

  #describe(): void {
    const { call } = this.#app;
    if (call.n === 0) {
      this.#card.replaceChildren(el("p", { class: "soft" }, "Choose a part of the map."));
      return;
    }
    const open = openNames(this.#app.state).includes(this.#name(call.n));
    const fold = this.#within[call.n] > 0 ? { open, toggle: () => this.#toggle(call.n) } : undefined;
    this.#card.replaceChildren(...graphCard(this.#app, fold));
  }

  #parts(): SVGElement[] {
    return [...(this.#svg?.querySelectorAll<SVGElement>("[data-n]:not(text)") ?? [])];
  }

  #toggle(n: number, open = !openNames(this.#app.state).includes(this.#name(n))): void {
    const names = new Set(openNames(this.#app.state));
    if (open) names.add(this.#name(n));
    else {
      // What is within shuts as well: else it would spring open with this one later.
      for (const name of names)
        if (name === this.#name(n) || name.startsWith(`${this.#name(n)}.`)) names.delete(name);
    }
    const { path, turn } = this.#calls[n];
    this.#app.set({ open: [...names].join("~"), layer: path, turn, output: 0, cell: undefined, plane: 0 });
  }

  #click(event: Event): void {
    const target = event.target as SVGElement;
    const fold = target.closest<SVGElement>("[data-fold]");
    if (fold) {
      this.#toggle(Number(fold.dataset.fold));
      return;
    }
    const part = target.closest<SVGElement>("[data-n]");
    if (!part) return;
    const n = Number(part.dataset.n);
    if (n === this.#app.call.n && this.#within[n] > 0) this.#toggle(n);
    else this.#app.go(this.#calls[n]);
    this.#focusOn(this.#name(n));
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const parts = this.#parts().sort((a, b) => Number(a.dataset.n) - Number(b.dataset.n));
    const at = parts.indexOf(document.activeElement as unknown as SVGElement);
    if (at < 0) return;
    const n = Number(parts[at].dataset.n);
    const to = (i: number): void => this.#focus(parts[Math.min(parts.length - 1, Math.max(0, i))]);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => to(at + 1),
      ArrowUp: () => to(at - 1),
      Home: () => to(0),
      End: () => to(parts.length - 1),
      ArrowRight: () => this.#within[n] > 0 && this.#toggle(n, true),
      ArrowLeft: () => {
        const shut = parts[at].getAttribute("aria-expanded") === "true" ? n : this.#calls[n].parent;
        if (shut > 0) this.#toggle(shut, false);
      },
      Enter: () => this.#app.go(this.#calls[n]),
      " ": () => this.#app.go(this.#calls[n]),
      "+": () => this.#zoomBy(1),
      "-": () => this.#zoomBy(-1),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }

  #focused(): string | undefined {
    const active = document.activeElement as HTMLElement | null;
    const n = this.#scroll.contains(active) ? active?.dataset.n : undefined;
    return n === undefined ? undefined : this.#name(Number(n));
  }

  #focusOn(name: string): void {
    const shown = this.#parts().find(({ dataset }) => this.#name(Number(dataset.n)) === name);
    const chosen = this.#parts().find(({ dataset }) => Number(dataset.n) === this.#shownAs(this.#app.call.n));
    this.#focus(shown ?? chosen);
  }

  #focus(part: SVGElement | undefined): void {
    part?.focus({ preventScroll: true });
    part?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Brings what is chosen into sight, in a page that is opened by its address. */
  #reveal(): void {
    const shown = this.#shownAs(this.#app.call.n);
    const part = this.#parts().find(({ dataset }) => Number(dataset.n) === shown);
    const at = part?.getBoundingClientRect();
    const own = this.#scroll.getBoundingClientRect();
    if (at && (at.bottom > own.bottom || at.right > own.right)) {
      this.#scroll.scrollTop += at.top - own.top - own.height / 3;
      this.#scroll.scrollLeft += at.left - own.left - own.width / 3;
    }
  }

  #topOf(n: number): number | undefined {
    const shown = this.#shownAs(n);
    return this.#parts()
      .find(({ dataset }) => Number(dataset.n) === shown)
      ?.getBoundingClientRect().top;
  }

  #zoomBy(step: number): void {
    const at = ZOOMS.findIndex((zoom) => zoom >= this.#scale - 1e-6);
    this.#scale = ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, at + step))];
    this.#size();
  }

  /** As large as goes into the width, so that all columns are seen; never so small that it cannot be read. */
  #fit(): void {
    const width = this.#scroll.clientWidth;
    const legible = ZOOMS.filter((zoom) => zoom >= LEAST_LEGIBLE && zoom <= 1);
    this.#scale = legible.filter((zoom) => this.#widthAt(zoom) <= width).at(-1) ?? LEAST_LEGIBLE;
    this.#size();
  }

  #widthAt(scale: number): number {
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16; // larger on large screens
    return (this.#layout?.width ?? 0) * scale * rem;
  }

  #size(): void {
    if (!this.#svg) return;
    this.#svg.style.width = `${this.#widthAt(this.#scale)}px`;
    this.#zoom.textContent = `${Math.round(this.#scale * 100)} %`;
  }
}
