/** The network as a tree of calls, with keys and a search: one row a call, its shape, and a bar. */
import type { Run } from "./client.ts";
import { byId, el, shapeText } from "./dom.ts";
import { measure, measureText } from "./measure.ts";
import type { CallRecord } from "./protocol.ts";
import type { State } from "./state.ts";

/** The tree in #tree. */
export class Tree {
  readonly #root = byId("tree");
  readonly #open = new Set<string>();
  readonly #choose: (call: CallRecord) => void;
  #run: Run | undefined;
  #children: CallRecord[][] = [];
  #bar: State["bar"] = "multiplyAdds";
  #chosen = -1;
  #focused = 0;
  #search = "";

  constructor(choose: (call: CallRecord) => void) {
    this.#choose = choose;
    this.#root.addEventListener("keydown", (event) => this.#key(event));
    this.#root.addEventListener("click", (event) => this.#click(event));
    const search = byId<HTMLInputElement>("search");
    search.addEventListener("input", () => {
      this.#search = search.value.trim().toLowerCase();
      this.#draw();
      this.#root.scrollTop = 0;
    });
    search.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "Enter") return;
      event.preventDefault();
      const first = this.#rows().find((row) => row.dataset.hit !== undefined) ?? this.#rows()[0];
      if (first) this.#focus(Number(first.dataset.n));
    });
  }

  /** Shows a run; what was open stays open. */
  show(run: Run): void {
    this.#run = run;
    const { calls } = run.record;
    this.#children = calls.map(() => []);
    for (const call of calls) if (call.parent >= 0) this.#children[call.parent].push(call);
    if (this.#open.size === 0) this.#open.add("#1");
    this.#draw();
  }

  /** Marks a call, opens what is around it, and sets what bars stand for. */
  update(call: CallRecord | undefined, bar: State["bar"]): void {
    const moved = call !== undefined && call.n !== this.#chosen;
    if (!moved && bar === this.#bar) return;
    this.#bar = bar;
    if (call && moved) {
      this.#chosen = call.n;
      this.#focused = call.n;
      for (let at = call.parent; at >= 0; at = this.#calls[at].parent) this.#open.add(this.#name(at));
    }
    this.#draw();
    if (moved) this.#row(this.#chosen)?.scrollIntoView({ block: "nearest" });
  }

  get #calls(): readonly CallRecord[] {
    return this.#run?.record.calls ?? [];
  }

  #name(n: number): string {
    const { path, turn } = this.#calls[n];
    return `${path}#${turn}`;
  }

  #rows(): HTMLElement[] {
    return [...this.#root.querySelectorAll<HTMLElement>("[role=treeitem]")];
  }

  #row(n: number): HTMLElement | undefined {
    return this.#rows().find((row) => row.dataset.n === String(n));
  }

  /** The calls that are seen, in order; those that the search found, and what is around them. */
  #visible(): { call: CallRecord; hit: boolean; open: boolean }[] {
    const found = new Set<number>();
    const hits = new Set<number>();
    if (this.#search) {
      for (const call of this.#calls) {
        if (!`${call.path} ${call.kind}`.toLowerCase().includes(this.#search)) continue;
        hits.add(call.n);
        for (let at = call.n; at >= 0; at = this.#calls[at].parent) found.add(at);
      }
    }
    const seen: { call: CallRecord; hit: boolean; open: boolean }[] = [];
    const walk = (call: CallRecord): void => {
      if (this.#search && !found.has(call.n)) return;
      const open = this.#search
        ? this.#children[call.n].some(({ n }) => found.has(n))
        : this.#open.has(this.#name(call.n));
      seen.push({ call, hit: hits.has(call.n), open });
      if (open) for (const child of this.#children[call.n]) walk(child);
    };
    if (this.#calls[0]) walk(this.#calls[0]);
    return seen;
  }

  #draw(): void {
    const visible = this.#visible();
    const had = this.#root.contains(document.activeElement);
    if (!visible.some(({ call }) => call.n === this.#focused)) this.#focused = visible[0]?.call.n ?? 0;
    const most = Math.max(
      1e-12,
      ...this.#calls.filter(({ depth }) => depth === 1).map((c) => measure(c, this.#bar)),
    );
    const scroll = this.#root.scrollTop;
    this.#root.replaceChildren(...visible.map((one) => this.#makeRow(one, most)));
    if (visible.length === 0 || (this.#search && !visible.some(({ hit }) => hit)))
      this.#root.replaceChildren(
        el("p", { class: "none", role: "presentation" }, "No layer has that in its path or class."),
      );
    this.#root.scrollTop = scroll;
    if (had) this.#row(this.#focused)?.focus({ preventScroll: true });
  }

  #makeRow(
    { call, hit, open }: { call: CallRecord; hit: boolean; open: boolean },
    most: number,
  ): HTMLElement {
    const { n, path, depth, kind, parent, turn } = call;
    const within = this.#children[n].length > 0;
    const around = parent >= 0 ? this.#calls[parent].path : "";
    const name =
      path === ""
        ? "the network"
        : around && path.startsWith(`${around}.`)
          ? path.slice(around.length + 1)
          : path;
    const shape = call.outputs[0] ? shapeText(call.outputs[0].shape) : "";
    const amount = measureText(measure(call, this.#bar), this.#bar);
    const share = Math.min(1, Math.sqrt(measure(call, this.#bar) / most));
    const bar = el("i", { class: "bar" });
    bar.style.setProperty("--share", `${(share * 100).toFixed(1)}%`);
    const siblings = parent >= 0 ? this.#children[parent] : [call];
    const row = el(
      "div",
      {
        role: "treeitem",
        "data-n": n,
        "data-path": path,
        "data-hit": hit || undefined,
        "aria-level": depth + 1,
        "aria-setsize": siblings.length,
        "aria-posinset": siblings.indexOf(call) + 1,
        "aria-expanded": within ? String(open) : undefined,
        "aria-selected": String(n === this.#chosen),
        tabindex: n === this.#focused ? 0 : -1,
        title: `${path || "the whole network"}: ${kind}`,
      },
      el("span", { class: "twist", "aria-hidden": "true" }, within ? (open ? "▾" : "▸") : ""),
      el("span", { class: "name" }, turn > 1 ? `${name} (call ${turn})` : name, " ", el("em", {}, kind)),
      el("span", { class: "shape" }, shape),
      el("span", { class: "amount" }, amount, bar),
    );
    row.style.setProperty("--depth", String(depth));
    return row;
  }

  #click(event: Event): void {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>("[role=treeitem]");
    if (!row) return;
    const n = Number(row.dataset.n);
    this.#focused = n;
    if (target.classList.contains("twist") && this.#children[n].length > 0) this.#toggle(n);
    else if (n === this.#chosen && this.#children[n].length > 0 && !this.#search) this.#toggle(n);
    else {
      if (!this.#search) this.#open.add(this.#name(n));
      this.#choose(this.#calls[n]);
      this.#draw();
    }
    this.#row(n)?.focus({ preventScroll: true });
  }

  #toggle(n: number, open = !this.#open.has(this.#name(n))): void {
    if (open) this.#open.add(this.#name(n));
    else this.#open.delete(this.#name(n));
    this.#draw();
  }

  #focus(n: number): void {
    const before = this.#row(this.#focused);
    if (before) before.tabIndex = -1;
    this.#focused = n;
    const row = this.#row(n);
    if (!row) return;
    row.tabIndex = 0;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.#rows().map((row) => Number(row.dataset.n));
    const at = rows.indexOf(this.#focused);
    if (at < 0) return;
    const within = this.#children[this.#focused].length > 0;
    const open = this.#row(this.#focused)?.getAttribute("aria-expanded") === "true";
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => this.#focus(rows[Math.min(rows.length - 1, at + 1)]),
      ArrowUp: () => this.#focus(rows[Math.max(0, at - 1)]),
      Home: () => this.#focus(rows[0]),
      End: () => this.#focus(rows[rows.length - 1]),
      ArrowRight: () => {
        if (!within) return;
        if (open) this.#focus(rows[at + 1]);
        else this.#toggle(this.#focused, true);
      },
      ArrowLeft: () => {
        if (within && open && !this.#search) this.#toggle(this.#focused, false);
        else if (this.#calls[this.#focused].parent >= 0) this.#focus(this.#calls[this.#focused].parent);
      },
      Enter: () => this.#choose(this.#calls[this.#focused]),
      " ": () => this.#choose(this.#calls[this.#focused]),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }
}
