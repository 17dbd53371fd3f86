/** The page: pictures in, views out, and the address that says which. */
import { attentionView } from "./attention-view.ts";
import { boxesView } from "./boxes-view.ts";
import { wireCamera } from "./camera.ts";
import { Client, type Run } from "./client.ts";
import { compareView } from "./compare-view.ts";
import { byId, el, shapeText } from "./dom.ts";
import { graphView } from "./graph-view.ts";
import { layerView } from "./layer-view.ts";
import { LessonPanel } from "./lesson-panel.ts";
import { mapsView } from "./maps-view.ts";
import { present } from "./present.ts";
import type { CallRecord } from "./protocol.ts";
import { queriesView } from "./queries-view.ts";
import { type Offered, type OfferedNetwork, Session } from "./session.ts";
import { DEFAULTS, readHash, type State, VIEWS, type View, writeHash } from "./state.ts";
import { Tree } from "./tree.ts";
import type { App, Shown } from "./view.ts";

const TITLES: Readonly<Record<View, string>> = {
  boxes: "Boxes",
  queries: "Queries",
  layer: "Layer",
  maps: "Maps",
  attention: "Attention",
  graph: "Network",
  compare: "Compare",
  network: "Layers",
};
const MAKERS: Readonly<Record<Exclude<View, "network">, (app: App) => Shown>> = {
  boxes: boxesView,
  queries: queriesView,
  layer: layerView,
  maps: mapsView,
  attention: attentionView,
  graph: graphView,
  compare: compareView,
};
/** Views of a layer that stay when another one is chosen in the tree. */
const STAYING: ReadonlySet<View> = new Set(["maps", "graph"]);
/** Views that show the layer which the address names. */
const NAMING: ReadonlySet<View> = new Set(["layer", "maps", "graph"]);
const BUDGET_BYTES = 400e6; // all tensors of the default model at 640
const SMALL_BUDGET_BYTES = 120e6; // all of them at 320, for devices with little memory

const device = navigator as Navigator & { readonly deviceMemory?: number };
const weak = (device.deviceMemory ?? 8) <= 4 || matchMedia("(max-width: 600px)").matches;
const defaults: State = { ...DEFAULTS, imgsz: weak ? 320 : DEFAULTS.imgsz };
const client = new Client(new URL("worker.js", import.meta.url));
const budgetAsked = Number(new URLSearchParams(location.search).get("budget")); // megabytes
const budget = budgetAsked > 0 ? budgetAsked * 1e6 : weak ? SMALL_BUDGET_BYTES : BUDGET_BYTES;

let state = readHash(location.hash, defaults);
let shown = new Map<View, Shown>();
const session = new Session(
  client,
  {
    state: () => state,
    set,
    say,
    fail: failed,
    ran: (run) => {
      shown = new Map();
      tree.show(run);
      show();
      void lesson.show(run).then(() => lesson.update(state));
    },
    // The script of the threads, where the page may share memory among them.
    poolUrl: crossOriginIsolated ? new URL("../browser/worker.js", import.meta.url).href : undefined,
    budget,
  },
  offeredNetwork(),
);
let drawn = Promise.resolve(); // what is shown
const lesson = new LessonPanel({ client, set, fail: failed });
const tree = new Tree((call) => go(call, STAYING.has(state.view) ? {} : { view: "layer" }));

function say(text: string, bad = false): void {
  const status = byId("status");
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

function failed(error: unknown): void {
  say(error instanceof Error ? error.message : String(error), true);
}

function meta(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="mobiledetr-${name}"]`)?.content ?? "";
}

function offeredPictures(): Offered[] {
  const own: Offered = { name: "sample", url: "sample.jpg" };
  const given = meta("pictures");
  return given ? [...(JSON.parse(given) as Offered[]), own] : [own];
}

function offeredNetwork(): OfferedNetwork {
  const given = meta("network");
  return given ? (JSON.parse(given) as OfferedNetwork) : { name: "", weights: meta("weights") };
}

/** The call that the state names, else the first layer. */
function callOf(of: Run): CallRecord {
  return (
    of.find(state.layer, state.turn) ??
    of.find(state.layer) ??
    of.record.calls[Math.min(1, of.record.calls.length - 1)]
  );
}

function set(change: Partial<State>): void {
  const before = state;
  state = { ...state, ...change };
  const hash = writeHash(state, defaults);
  if (hash !== location.hash) {
    // A way back for what is a step of its own, not for every pixel of a slider.
    const step = state.view !== before.view || state.layer !== before.layer || state.turn !== before.turn;
    if (step) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  }
  show();
}

function go(call: CallRecord, change: Partial<State> = {}): void {
  set({ layer: call.path, turn: call.turn, output: 0, cell: undefined, plane: 0, ...change });
}

/** Draws the view that the state names. */
function show(): void {
  document.body.dataset.view = state.view;
  for (const tab of byId("tabs").children) {
    const own = (tab as HTMLElement).dataset.view === state.view;
    tab.setAttribute("aria-selected", String(own));
    (tab as HTMLElement).tabIndex = own ? 0 : -1;
  }
  showSize();
  byId("first-network").hidden = !session.ownNetwork;
  byId<HTMLSelectElement>("bar").value = state.bar;
  for (const button of byId("pictures").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset.name === state.picture));
  const current = session.run;
  if (!current) return;
  const call = callOf(current);
  if (call.path !== state.layer && NAMING.has(state.view))
    say(`This network has no layer ${state.layer}: shown is ${call.path}.`, true);
  tree.update(call, state.bar);
  lesson.update(state);
  const view = state.view === "network" ? "layer" : state.view;
  const app: App = {
    client,
    session,
    offered,
    run: current,
    get state() {
      return state;
    },
    get call() {
      return callOf(current);
    },
    set,
    go,
    fail: failed,
  };
  let one = shown.get(view);
  if (!one) {
    one = MAKERS[view](app);
    shown.set(view, one);
  }
  const main = byId("main");
  const head = view === "layer" || view === "maps" ? layerHead(current, call) : undefined;
  main.setAttribute("aria-label", TITLES[view]);
  document.title = `${view === "layer" || view === "maps" ? call.path || "the network" : TITLES[view]} – see inside`;
  drawn = present(main, one, head).catch((error) => {
    if (session.run === current) failed(error); // and not of a picture that another has followed
  });
}

/** The input size: chosen by the reader, or that of a trace's images, which cannot be chosen. */
function showSize(): void {
  const select = byId<HTMLSelectElement>("size");
  const own = session.ownSize;
  select.querySelector("[data-own]")?.remove();
  select.disabled = own !== undefined;
  if (own) select.append(el("option", { value: "own", "data-own": true }, own.join(" × ")));
  select.value = own ? "own" : String(state.imgsz);
}

/** The layer's name, with the ways to the one before and the next. */
function layerHead(of: Run, call: CallRecord): HTMLElement {
  const { calls } = of.record;
  const to = (n: number, text: string, label: string): HTMLElement => {
    const other = calls[n];
    return el(
      "button",
      {
        type: "button",
        class: "button quiet step",
        "aria-label": label,
        title: other?.path,
        disabled: !other,
        onclick: () => other && go(other),
      },
      text,
    );
  };
  return el(
    "div",
    { class: "layer-head" },
    to(call.n - 1, "‹", "Layer before"),
    el(
      "h2",
      { class: "path" },
      call.path || "the network",
      " ",
      el("em", {}, call.kind),
      call.turn > 1 ? ` call ${call.turn}` : "",
    ),
    el("span", { class: "soft" }, call.outputs[0] ? shapeText(call.outputs[0].shape) : ""),
    to(call.n + 1, "›", "Next layer"),
  );
}

function wire(offered: readonly Offered[]): void {
  for (const [i, view] of VIEWS.entries()) {
    byId("tabs").append(
      el(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${view}`,
          "data-view": view,
          "aria-controls": "main",
          onclick: () => set({ view }),
          onkeydown: (event: KeyboardEvent) => tabKey(event, i),
        },
        TITLES[view],
      ),
    );
  }
  for (const one of offered) {
    const image = el("img", { src: one.url, alt: "", width: 56, height: 42 });
    byId("pictures").append(
      el(
        "button",
        {
          type: "button",
          "data-name": one.name,
          "aria-pressed": "false",
          "aria-label": `Picture ${one.name}`,
          title: one.name,
          onclick: () => {
            set({ picture: one.name, query: -1, token: -1 });
            void session.takeOffered(one);
          },
        },
        image,
      ),
    );
  }
  byId("first-network").addEventListener("click", () => void session.firstNetwork());
  wireCamera(byId("camera"), (frame, again) => session.takeFrame(frame, again, () => drawn));
  const file = byId<HTMLInputElement>("file");
  byId("open").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files?.[0]) void session.takeFiles([...file.files]);
    file.value = ""; // so that the same file can be chosen again
  });
  byId<HTMLSelectElement>("size").addEventListener("change", ({ target }) => {
    set({ imgsz: Number((target as HTMLSelectElement).value), cell: undefined, token: -1 });
    void session.look();
  });
  byId<HTMLSelectElement>("bar").addEventListener("change", ({ target }) =>
    set({ bar: (target as HTMLSelectElement).value as State["bar"] }),
  );
  document.addEventListener("paste", ({ clipboardData }) => {
    if (clipboardData?.files[0]) void session.takeFiles([...clipboardData.files]);
  });
  const drop = byId("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.hidden = true;
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.hidden = true;
    if (event.dataTransfer?.files[0]) void session.takeFiles([...event.dataTransfer.files]);
  });
  addEventListener("popstate", () => restore(offered));
  let resized = 0;
  addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(show, 150); // lines keep their width on the screen
  });
}

function tabKey(event: KeyboardEvent, at: number): void {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const tabs = ([...byId("tabs").children] as HTMLElement[]).filter(
    ({ offsetParent }) => offsetParent !== null,
  );
  const own = tabs.findIndex(({ dataset }) => dataset.view === VIEWS[at]);
  const next = tabs[(own + step + tabs.length) % tabs.length];
  next.click();
  next.focus();
}

/** What the address says, after it was changed by hand or by the way back. */
function restore(offered: readonly Offered[]): void {
  const before = state;
  state = legal(readHash(location.hash, defaults));
  shown = new Map(); // controls show the state that they were made with
  show();
  const one = offered.find(({ name }) => name === state.picture);
  const other = offered.find(({ name }) => name === state.with);
  if (other && state.with !== before.with) void session.compareWithOffered(other);
  else if (one && state.picture !== before.picture) void session.takeOffered(one);
  else if (state.imgsz !== before.imgsz) void session.look();
}

/** Sizes that the page offers, and chapters that can be. */
function legal(given: State): State {
  const { imgsz, lesson } = given;
  return {
    ...given,
    imgsz: imgsz === 320 || imgsz === 640 ? imgsz : defaults.imgsz,
    lesson: Number.isInteger(lesson) && lesson > 0 ? lesson : 0,
  };
}

/** The trace that the page was opened with, or the picture that the address names. */
async function begin(): Promise<void> {
  const trace = meta("trace");
  if (trace) {
    const { name, url } = JSON.parse(trace) as Offered;
    const response = await fetch(url);
    await session.takeTrace(name, await response.blob(), location.hash === "" ? "compare" : state.view);
    if (session.looking) return;
  }
  await session.takeOffered(offered.find(({ name }) => name === state.picture) ?? offered[0]);
  const other = offered.find(({ name }) => name === state.with);
  if (other) await session.compareWithOffered(other);
}

const offered = offeredPictures();
defaults.picture = offered[0].name;
state = legal(readHash(location.hash, defaults));
wire(offered);
show();
begin().catch(failed);
