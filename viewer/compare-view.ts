/** A run beside another: PyTorch's trace, another runtime's, another picture's; tensor by tensor, and side by side. */
import { compareDetail, type Detail } from "./compare-detail.ts";
import { el, setControl, shapeText, short, slider } from "./dom.ts";
import { planesOf } from "./paint.ts";
import type { CompareRecord, CompareRow } from "./protocol.ts";
import type { OtherSide } from "./session.ts";
import type { App, Shown } from "./view.ts";

/** The view. */
export function compareView(app: App): Shown {
  const root = el("div", { class: "view" });
  let part: Promise<ComparePart> | undefined;
  const begin = async ({ title, picture, trace }: OtherSide): Promise<ComparePart> => {
    root.replaceChildren(el("p", { class: "soft" }, `Comparing with ${title}…`));
    try {
      const record = await app.client.ask("compare", { title, picture: picture?.slice(0), trace });
      const made = new ComparePart(app, record);
      root.replaceChildren(made.root);
      return made;
    } catch (error) {
      root.replaceChildren(el("p", {}, `${title}: ${(error as Error).message}`), invitation(app));
      throw error;
    }
  };
  return {
    root,
    update: async () => {
      const { other } = app.session;
      if (!other) {
        root.replaceChildren(invitation(app));
        return;
      }
      part ??= begin(other); // once, however often it is drawn meanwhile
      (await part).update();
    },
  };
}

/** What can be compared, and how to begin. */
function invitation(app: App): HTMLElement {
  return el(
    "div",
    { class: "invitation" },
    el(
      "p",
      { class: "lead" },
      "See this run beside another one: where do the first numbers part, and how far? Choose what to compare with.",
    ),
    sources(app),
    el("h2", {}, "A trace"),
    el(
      "p",
      {},
      "A safetensors or npz file of named tensors, of PyTorch's forward hooks or of another runtime. Where it has the network's input, ",
      el("code", {}, "images"),
      ", the network here runs on that. This program writes one as well:",
    ),
    el("pre", {}, el("code", {}, "mobiledetr trace photo.jpg --output t.safetensors")),
    el("h2", {}, "Another picture"),
    el("p", {}, "The same network on another picture: which layers tell the two apart?"),
  );
}

function sources(app: App): HTMLElement {
  const file = (id: string, accept: string, take: (file: File) => void): HTMLInputElement => {
    const input = el("input", {
      type: "file",
      id,
      accept,
      class: "hidden-file",
      tabindex: -1,
      "aria-hidden": "true",
      onchange: () => input.files?.[0] && take(input.files[0]),
    });
    return input;
  };
  const trace = file("trace-file", ".safetensors,.npz", (one) => void app.session.takeTrace(one.name, one));
  const picture = file(
    "other-file",
    "image/jpeg,image/png",
    (one) => void app.session.compareWith(one.name, one),
  );
  const button = (text: string, id: string, act: () => void): HTMLElement =>
    el("button", { type: "button", class: "button quiet", id, onclick: act }, text);
  return el(
    "div",
    { class: "controls" },
    button("Open a trace", "open-trace", () => trace.click()),
    trace,
    button("Open another picture", "open-other", () => picture.click()),
    picture,
    ...app.offered
      .filter(({ name }) => name !== app.state.picture)
      .map((one) =>
        button(`With ${one.name}`, `with-${one.name}`, () => void app.session.compareWithOffered(one)),
      ),
  );
}

class ComparePart {
  readonly root: HTMLElement;
  readonly #app: App;
  readonly #record: CompareRecord;
  readonly #summary = el("p", { class: "count", id: "compare-summary" });
  readonly #list = el("div", { class: "compare-list", role: "listbox", "aria-label": "Tensors" });
  readonly #first = el(
    "button",
    { type: "button", class: "button", id: "first-apart" },
    "To the first that is apart",
  );
  readonly #detail: Detail;
  #drawn = "";
  #only = false;

  constructor(app: App, record: CompareRecord) {
    this.#app = app;
    this.#record = record;
    this.#detail = compareDetail(app, record.side);
    this.#first.addEventListener("click", () => {
      const row = this.#record.rows.find((one) => this.#isApart(one));
      if (row) this.#choose(row);
    });
    const only = el("input", {
      type: "checkbox",
      id: "only-apart",
      onchange: () => {
        this.#only = only.checked;
        this.#drawn = "";
        this.update();
      },
    });
    this.#list.addEventListener("click", (event) => {
      const row = (event.target as HTMLElement).closest<HTMLElement>("[data-name]");
      if (row) this.#choose(this.#record.rows.find(({ name }) => name === row.dataset.name));
    });
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    const { onlyTheirs, title } = record;
    this.root = el(
      "div",
      {},
      el("p", { class: "lead" }, `This run beside ${title}, in the order in which numbers are made.`),
      this.#summary,
      el(
        "div",
        { class: "controls" },
        this.#first,
        slider(
          "Apart from so many standard deviations on",
          "apart",
          { min: -8, max: 1, step: 0.5, value: app.state.apart },
          (x) => short(10 ** x, 2),
          (apart) => app.set({ apart }),
        ),
        el("label", { class: "field check" }, only, el("span", {}, "only those")),
      ),
      el("div", { class: "compare" }, this.#list, this.#detail.root),
      onlyTheirs.length > 0 &&
        el(
          "details",
          {},
          el("summary", {}, `${onlyTheirs.length} tensors of the trace have names that fit nothing here`),
          el("p", { class: "soft" }, onlyTheirs.slice(0, 200).join(", ")),
        ),
      el("details", {}, el("summary", {}, "Compare with something else"), sources(app)),
    );
  }

  #isApart({ status, max = 0, std = 0 }: CompareRow): boolean {
    return status === "shape" || (status === "apart" && !(max <= 10 ** this.#app.state.apart * std));
  }

  update(): void {
    const { state } = this.#app;
    const { rows } = this.#record;
    setControl(this.root, "apart", state.apart);
    const drawn = `${state.apart}/${this.#only}`;
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      const compared = rows.filter(({ status }) => status !== "absent");
      const apart = compared.filter((row) => this.#isApart(row));
      const equal = compared.filter(({ status }) => status === "equal").length;
      const absent = rows.length - compared.length;
      this.#summary.textContent =
        compared.length === 0
          ? "No tensor has a name that this network has: names are PyTorch's module paths, as model.0.layer2."
          : `${compared.length} tensors compared: ${equal} equal, ${compared.length - equal - apart.length} near, ${apart.length} apart${absent ? `; ${absent} more are not in it` : ""}. ${apart[0] ? `The first that is apart is ${apart[0].name}.` : "None is apart."}`;
      this.#summary.dataset.first = apart[0]?.name ?? "";
      this.#summary.dataset.apart = String(apart.length);
      this.#first.disabled = apart.length === 0;
      this.#list.replaceChildren(...(this.#only ? apart : compared).map((row) => this.#row(row)));
    }
    const chosen = rows.find(({ name }) => name === state.diff);
    for (const row of this.#list.children as HTMLCollectionOf<HTMLElement>) {
      const own = row.dataset.name === chosen?.name;
      row.setAttribute("aria-selected", String(own));
      row.tabIndex = own ? 0 : -1;
    }
    if (!this.#list.querySelector("[tabindex='0']"))
      this.#list.firstElementChild?.setAttribute("tabindex", "0");
    this.#detail.update(chosen);
  }

  #row(row: CompareRow): HTMLElement {
    const { name, status, max = 0, std = 0, ref, theirShape, samples } = row;
    const share = max / std;
    const apart = this.#isApart(row);
    const words =
      status === "shape"
        ? `theirs is ${shapeText(theirShape ?? [])}`
        : status === "equal"
          ? "equal"
          : `${short(max, 3)}${std > 0 ? `, ${short(share, 2)} deviations` : ""}`;
    const bar = el("i", { class: apart ? "gap apart" : "gap" });
    // From 1e-8 deviations, which is nothing, to 10.
    const width =
      status === "equal" ? 0 : Number.isFinite(share) ? (Math.log10(Math.max(share, 1e-8)) + 8) / 9 : 1;
    bar.style.setProperty("--share", `${(100 * Math.min(1, Math.max(0, width))).toFixed(1)}%`);
    return el(
      "div",
      {
        role: "option",
        "data-name": name,
        "data-apart": apart || undefined,
        tabindex: -1,
        "aria-label": `${name}, ${apart ? "apart" : status}, ${words}`,
      },
      el("span", { class: "tensor-name" }, name),
      el("span", { class: "shape" }, shapeText(ref.shape), samples ? ` ${samples} samples` : ""),
      el("span", { class: "amount" }, words),
      bar,
    );
  }

  /** A tensor, at the place where it is farthest apart. */
  #choose(row: CompareRow | undefined): void {
    if (!row) return;
    const { height, width } = planesOf(row.ref.shape);
    const { at = 0 } = row;
    const rest = at % (height * width);
    this.#app.set({
      diff: row.name,
      plane: Math.floor(at / (height * width)),
      cell: [Math.floor(rest / width), rest % width],
    });
    const shown = [...this.#list.children].find((one) => (one as HTMLElement).dataset.name === row.name);
    (shown as HTMLElement | undefined)?.scrollIntoView({ block: "nearest" });
    (shown as HTMLElement | undefined)?.focus({ preventScroll: true });
  }

  #key(event: KeyboardEvent): void {
    const rows = [...this.#list.children] as HTMLElement[];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    const next = rows[Math.min(rows.length - 1, Math.max(0, to ?? at))];
    this.#choose(this.#record.rows.find(({ name }) => name === next.dataset.name));
  }
}
