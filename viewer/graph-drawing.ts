/** The network's map as SVG: boxes, frames, lines and shapes at the places that `flow-layout.ts` gave them. */
import { shapeText } from "./dom.ts";
import type { Flow, FlowBox } from "./flow.ts";
import type { FlowLayout, Place } from "./flow-layout.ts";
import { measure, measureText } from "./measure.ts";
import type { CallRecord } from "./protocol.ts";
import type { State } from "./state.ts";
import { arrowHead, shape, words } from "./svg.ts";

const NAME_LETTERS = 19; // that fit a box

/** What is drawn. */
export interface Drawn {
  readonly flow: Flow;
  readonly layout: FlowLayout;
  readonly calls: readonly CallRecord[];
  /** How many calls each holds. */
  readonly within: readonly number[];
  /** What colours stand for. */
  readonly bar: State["bar"];
}

/** Draws it; `most` is what the deepest colour stands for. */
export function drawGraph(drawn: Drawn): { svg: SVGSVGElement; most: number } {
  const { flow, layout, calls, bar } = drawn;
  const { boxes, edges, frames } = flow;
  const svg = shape("svg", {
    viewBox: `0 0 ${layout.width} ${layout.height}`,
    role: "group",
    "aria-label":
      "Map of the network. Arrow keys go from part to part, right unfolds, left folds, Enter chooses.",
  });
  svg.append(arrowHead());
  for (const { x, title } of layout.columns)
    svg.append(words("text", { x, y: 22, class: "column", "text-anchor": "middle" }, title));
  const most = Math.max(1e-12, ...boxes.map(({ kind, n }) => (kind === "call" ? measure(calls[n], bar) : 0)));
  const open = frames.map(({ n }, i) => ({ n, place: layout.frames[i] })).filter(({ n }) => n !== 0);
  for (const { place } of open) svg.append(drawFrame(place));
  for (const [e, { path }] of layout.lines.entries()) {
    const { from, to } = edges[e];
    svg.append(shape("path", { d: path, class: "flow", "data-from": from, "data-to": to }));
  }
  for (const { n, place } of open) svg.append(drawFrameHead(calls[n], place)); // over the lines that pass
  for (const [i, box] of boxes.entries()) svg.append(drawBox(drawn, box, i, layout.boxes[i], most));
  for (const [e, { label }] of layout.lines.entries()) {
    const text = edges[e].shape.slice(edges[e].shape.length > 2 ? 1 : 0).join("×");
    svg.append(words("text", { x: label[0], y: label[1], class: "edge", "text-anchor": "middle" }, text));
  }
  return { svg: svg as SVGSVGElement, most };
}

/** A box at its place; `most` is what the deepest colour stands for. */
function drawBox(
  { calls, within, bar }: Drawn,
  box: FlowBox,
  i: number,
  { x, y, width, height }: Place,
  most: number,
): SVGElement {
  const group = shape("g", { class: `box ${box.kind}`, "data-i": i, transform: `translate(${x} ${y})` });
  if (box.kind !== "call") {
    const round = box.kind === "operator" ? height / 2 : 6;
    group.append(
      shape("rect", { width, height, rx: round }),
      words(
        "text",
        { x: width / 2, y: height / 2 + 5, "text-anchor": "middle" },
        box.kind === "input" ? "the picture" : box.name,
      ),
    );
    group.setAttribute("role", "img");
    group.setAttribute(
      "aria-label",
      `${box.kind === "input" ? "the picture" : box.name}, ${shapeText(box.shape)}`,
    );
    return group;
  }
  const call = calls[box.n];
  const around = calls[box.frame]?.path ?? "";
  const name = around && call.path.startsWith(`${around}.`) ? call.path.slice(around.length + 1) : call.path;
  const share = Math.sqrt(measure(call, bar) / most);
  const rect = shape("rect", { width, height, rx: 6 });
  rect.style.setProperty("--share", `${(55 * share).toFixed(1)}%`);
  const amount = measureText(measure(call, bar), bar);
  const [title, kind] = [short(call.turn > 1 ? `${name} #${call.turn}` : name), short(call.kind)];
  group.append(
    rect,
    words("text", { x: 9, y: 16, class: "part-name" }, title),
    words("text", { x: 9, y: 31, class: "kind" }, kind),
    words("title", {}, `${call.path}: ${call.kind}, output ${shapeText(box.shape)}, ${amount}`),
  );
  if (within[box.n] > 0) {
    group.append(words("text", { x: width - 14, y: 17, class: "fold", "data-fold": box.n }, "+"));
    group.setAttribute("aria-expanded", "false");
  }
  for (const [key, value] of Object.entries({
    role: "button",
    "data-n": box.n,
    "data-path": call.path,
    "data-share": share.toFixed(3),
    tabindex: -1,
  })) {
    group.setAttribute(key, String(value));
  }
  return group;
}

function drawFrame({ x, y, width, height, level }: Place & { level: number }): SVGElement {
  const group = shape("g", { class: "frame", transform: `translate(${x} ${y})`, "data-level": level % 2 });
  group.append(shape("rect", { width, height, rx: 9 }));
  return group;
}

function drawFrameHead({ path, kind, n }: CallRecord, { x, y }: Place): SVGElement {
  const head = shape("g", {
    class: "frame-head",
    transform: `translate(${x} ${y})`,
    role: "button",
    tabindex: -1,
    "data-n": n,
    "data-path": path,
    "aria-expanded": "true",
  });
  head.append(
    words("text", { x: 8, y: 14, class: "fold", "data-fold": n }, "−"),
    words("text", { x: 22, y: 14, class: "part-name" }, `${path} ${kind}`),
  );
  return head;
}

function short(text: string): string {
  return text.length > NAME_LETTERS ? `${text.slice(0, NAME_LETTERS - 1)}…` : text;
}
