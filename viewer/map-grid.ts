/** All channels of a tensor as small maps to choose from. Those in sight are painted at once, the others in the frames after. */
import type { Range } from "../src/depict/ramp.ts";
import { el, short } from "./dom.ts";
import { later } from "./later.ts";
import type { Moments, PlaneMoments } from "./moments.ts";
import { paintPlane, planeOf, planesOf } from "./paint.ts";
import type { Numbers } from "./protocol.ts";
import type { State } from "./state.ts";

const MOST = 64; // maps drawn before more are asked for
const LEAST_PX = 80; // of a tile's width

/** The grid of one tensor; empty where it has one plane alone. */
export class MapGrid {
  readonly root = el("div", { class: "grid", role: "listbox", "aria-label": "Channels" });
  /** Asks for those beyond the first. */
  readonly more = el("button", { type: "button", class: "button quiet" });
  readonly #numbers: Numbers;
  readonly #moments: PlaneMoments;
  readonly #choose: (plane: number) => void;
  #all = false;
  #together = false;
  #drawn = "";
  #drop: () => void = () => {};

  constructor(numbers: Numbers, moments: PlaneMoments, choose: (plane: number) => void) {
    this.#numbers = numbers;
    this.#moments = moments;
    this.#choose = choose;
    this.root.hidden = moments.count === 1;
    this.root.addEventListener("click", ({ target }) => {
      const tile = (target as HTMLElement).closest<HTMLElement>("[data-plane]");
      if (tile) choose(Number(tile.dataset.plane));
    });
    this.root.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Draws what has changed. Outside of the page, where nothing is in sight yet, all of it at once. */
  update(state: Readonly<State>, plane: number, { all = this.#all, together = this.#together } = {}): void {
    [this.#all, this.#together] = [all, together];
    const drawn = `${state.order}/${all}/${together}`;
    if (drawn !== this.#drawn) this.#draw(state.order);
    this.#drawn = drawn;
    for (const tile of this.#tiles()) {
      const own = Number(tile.dataset.plane) === plane;
      tile.setAttribute("aria-selected", String(own));
      tile.tabIndex = own ? 0 : -1;
    }
    if (!this.root.querySelector("[tabindex='0']"))
      this.root.firstElementChild?.setAttribute("tabindex", "0");
  }

  #tiles(): HTMLElement[] {
    return [...this.root.children] as HTMLElement[];
  }

  #draw(order: State["order"]): void {
    this.#drop();
    const { count } = this.#moments;
    const planes = this.#sorted(order).slice(0, this.#all ? count : MOST);
    this.more.hidden = planes.length === count;
    this.more.textContent = `Show all ${count}`;
    if (count === 1) return;
    const { height, width } = planesOf(this.#numbers.shape);
    const range = this.#together ? unionOf(this.#moments.all()) : undefined;
    const tiles = planes.map((plane) => tileOf(plane, width, height));
    this.root.replaceChildren(...tiles.map(({ root }) => root));
    const pixels = tiles[0].canvas.clientWidth * devicePixelRatio;
    const every = Math.max(1, Math.floor(width / Math.max(LEAST_PX, pixels))); // more would not be seen
    const outside = !this.root.isConnected;
    const seen = tiles.map(({ root }) => outside || isSeen(root)); // all of them first: layout is done once
    const fill = ({ root, canvas, plane }: Tile): void => {
      const moments = this.#moments.of(plane);
      paintPlane(canvas, planeOf(this.#numbers, plane), range ?? moments.range, every);
      describe(root, moments);
    };
    for (const tile of tiles.filter((_, i) => seen[i])) fill(tile);
    this.#drop = later(tiles.filter((_, i) => !seen[i]).map((tile) => () => fill(tile)));
  }

  #sorted(order: State["order"]): number[] {
    if (order === "index") return Array.from({ length: this.#moments.count }, (_, plane) => plane);
    const sorted = this.#moments.all().sort((a, b) => b[order] - a[order]);
    return sorted.map(({ plane }) => plane);
  }

  #key(event: KeyboardEvent): void {
    const tiles = this.#tiles();
    const at = tiles.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    const columns = tiles.filter(({ offsetTop }) => offsetTop === tiles[0].offsetTop).length;
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns,
      ArrowUp: -columns,
      Enter: 0,
      " ": 0,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = tiles[Math.min(tiles.length - 1, Math.max(0, at + step))];
    this.#choose(Number(next.dataset.plane));
    next.focus();
  }
}

interface Tile {
  readonly plane: number;
  readonly root: HTMLElement;
  readonly canvas: HTMLCanvasElement;
}

/** A tile of the size that it will have, not painted. */
function tileOf(plane: number, width: number, height: number): Tile {
  const canvas = el("canvas", { "aria-hidden": "true", width, height });
  const root = el(
    "div",
    { role: "option", class: "tile", "data-plane": plane, "aria-label": `Channel ${plane}`, tabindex: -1 },
    canvas,
    el("span", {}, String(plane)),
  );
  return { plane, root, canvas };
}

function describe(tile: HTMLElement, { plane, mean, variance }: Moments): void {
  const label = `Channel ${plane}: mean ${short(mean, 3)}, deviation ${short(Math.sqrt(variance), 3)}`;
  tile.setAttribute("aria-label", label);
  tile.title = label;
}

function isSeen(element: HTMLElement): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}

function unionOf(moments: readonly Moments[]): Range {
  return {
    min: Math.min(...moments.map(({ range }) => range.min)),
    max: Math.max(...moments.map(({ range }) => range.max)),
  };
}
