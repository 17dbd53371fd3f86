/** What the network's map says of the part that is chosen. */
import { el, shapeText } from "./dom.ts";
import { BARS, measure, measureText } from "./measure.ts";
import type { TensorRef } from "./protocol.ts";
import { lessonOf } from "./teach.ts";
import type { App } from "./view.ts";

/** The card's content. `fold` unfolds a part that has others within, or folds it. */
export function graphCard(
  app: App,
  fold: { readonly open: boolean; toggle(): void } | undefined,
): HTMLElement[] {
  const { call, state } = app;
  const button = (text: string, id: string, act: () => void): HTMLElement =>
    el("button", { type: "button", class: "button quiet", id, onclick: act }, text);
  const fact = (title: string, content: HTMLElement | string, now = false): HTMLElement =>
    el("div", { class: now ? "now" : "" }, el("dt", {}, title), el("dd", {}, content));
  const tensors = (title: string, refs: readonly TensorRef[]): HTMLElement[] =>
    refs.map(({ shape }) => fact(title, el("code", {}, shapeText(shape))));
  return [
    el("h2", { class: "path" }, call.path, " ", el("em", {}, call.kind)),
    el("p", {}, lessonOf(call.kind).what),
    el(
      "dl",
      { class: "facts" },
      ...tensors("Comes in", call.inputs),
      ...tensors("Goes out", call.outputs),
      ...BARS.map(([key, title]) => fact(title, measureText(measure(call, key), key), key === state.bar)),
    ),
    el(
      "div",
      { class: "controls" },
      button("Its card", "graph-layer", () => app.set({ view: "layer" })),
      button("Its maps", "graph-maps", () => app.set({ view: "maps" })),
      fold && button(fold.open ? "Fold" : "Unfold", "graph-fold", fold.toggle),
    ),
  ];
}
