/** The card of a layer: what it does, what went in and came out, its parameters. */

import { rangeOf } from "../src/depict/ramp.ts";
import { bytesOf } from "./client.ts";
import { count, duration, el, shapeText, short } from "./dom.ts";
import { histogram, paintPlane, planeOf, planesOf } from "./paint.ts";
import type { CallRecord, Numbers, ParameterRef, TensorRef } from "./protocol.ts";
import { lessonOf } from "./teach.ts";
import type { App, Shown } from "./view.ts";

const TILES = 96; // kernels drawn at once

/** The view. */
export function layerView(app: App): Shown {
  const root = el("div", { class: "view" });
  let shown = -1;
  return {
    root,
    update: () => {
      const { call } = app;
      if (call.n === shown) return;
      shown = call.n;
      const { n } = call;
      root.replaceChildren(...card(app, call));
      void parameters(app, call, () => shown === n).then(
        (part) => shown === n && root.append(part),
        app.fail,
      );
    },
  };
}

function card(app: App, call: CallRecord): HTMLElement[] {
  const { what, formula, paper } = lessonOf(call.kind);
  const { run } = app;
  const tensors = (label: string, refs: readonly TensorRef[], link: boolean): HTMLElement =>
    el(
      "div",
      {},
      el("dt", {}, label),
      ...refs.map((ref) => {
        const maker = link ? run.producer(ref) : undefined;
        const shape = el("code", {}, shapeText(ref.shape));
        if (!maker || maker.n === call.n)
          return el(
            "dd",
            {},
            shape,
            link
              ? el(
                  "small",
                  {},
                  ref.id === run.record.calls[0].inputs[0]?.id ? " the picture" : " computed between modules",
                )
              : "",
          );
        return el(
          "dd",
          {},
          shape,
          " from ",
          el(
            "button",
            { type: "button", class: "link", onclick: () => app.go(maker) },
            maker.path || "the network",
          ),
        );
      }),
      refs.length === 0 && el("dd", {}, "none"),
    );
  const numbers = el("section", { class: "numbers" }, el("h2", {}, "Numbers of the output"));
  const [first] = call.outputs;
  if (first) {
    void app.client.ask("statistics", { tensor: first.id }).then((s) => {
      numbers.append(
        histogram(s.histogram, s, "the output"),
        el(
          "p",
          { class: "soft" },
          `mean ${short(s.mean)}, deviation ${short(s.std)}, ${(100 * s.zeros).toFixed(1)} % zeros, ${s.count} numbers`,
        ),
      );
    }, app.fail);
  }
  const fact = (label: string, text: string): HTMLElement =>
    el("div", {}, el("dt", {}, label), el("dd", {}, text));
  const children = run.record.calls.filter(({ parent }) => parent === call.n);
  return [
    el("p", { class: "lead" }, what),
    el("p", { class: "formula" }, formula),
    el("pre", { tabindex: 0, "aria-label": "The PyTorch line" }, el("code", {}, call.line)),
    call.quirk
      ? el("p", { class: "quirk" }, el("b", {}, "Odd, and kept as it was trained: "), call.quirk)
      : "",
    el(
      "dl",
      { class: "facts" },
      tensors(call.inputs.length === 1 ? "Input" : "Inputs", call.inputs, true),
      tensors(call.outputs.length === 1 ? "Output" : "Outputs", call.outputs, false),
      fact(
        "Parameters",
        call.parameterCount
          ? `${count(call.parameterCount)}${call.parameterCount >= 1000 ? ` (${call.parameterCount})` : ""}`
          : "none",
      ),
      fact("Multiply-adds", call.multiplyAdds ? count(call.multiplyAdds) : "none"),
      fact("Time, here and now", duration(call.seconds)),
      fact("Memory of the output", `${count(bytesOf(call))}B`),
      paper ? fact("Paper", paper) : "",
    ),
    numbers,
    children.length > 0
      ? el(
          "section",
          {},
          el("h2", {}, "Its parts"),
          el(
            "ul",
            { class: "parts" },
            ...children.map((child) =>
              el(
                "li",
                {},
                el("button", { type: "button", class: "link", onclick: () => app.go(child) }, child.path),
                ` ${child.kind} `,
                el("span", { class: "soft" }, shapeText(child.outputs[0]?.shape ?? [])),
              ),
            ),
          ),
        )
      : "",
  ].filter((part) => part !== "") as HTMLElement[];
}

/** Parameters with histograms; weights of convolutions as pictures. */
async function parameters(app: App, call: CallRecord, wanted: () => boolean): Promise<HTMLElement> {
  const section = el("section", { class: "parameters" });
  if (call.parameters.length > 0) section.append(el("h2", {}, "Parameters"));
  for (const ref of call.parameters) {
    const got = await app.client.ask("parameter", { n: call.n, name: ref.name });
    if (!wanted()) return section;
    const { statistics } = got;
    section.append(
      el(
        "article",
        {},
        el("h3", {}, ref.name, " ", el("code", {}, shapeText(ref.shape))),
        histogram(statistics.histogram, statistics, ref.name),
        el("p", { class: "soft" }, `mean ${short(statistics.mean)}, deviation ${short(statistics.std)}`),
        ref.name === "weight" && ref.shape.length >= 2 ? weightPictures(ref, got) : "",
      ),
    );
  }
  return section;
}

function weightPictures({ shape }: ParameterRef, numbers: Numbers): HTMLElement {
  const { count: planes, height, width } = planesOf(shape);
  if ((shape.length === 4 && height * width === 1) || shape.length === 2) {
    const canvas = el("canvas", {
      class: "matrix",
      role: "img",
      "aria-label": "The weights as a picture: a row an output, a column an input",
    });
    paintPlane(canvas, { data: numbers.data, height: shape[0], width: shape[1] });
    return el(
      "figure",
      {},
      canvas,
      el("figcaption", {}, `${shape[0]} outputs (rows) × ${shape[1]} inputs (columns)`),
    );
  }
  const range = rangeOf(numbers.data);
  const tiles = el("div", { class: "kernels" });
  for (let i = 0; i < Math.min(planes, TILES); i++) {
    const canvas = el("canvas", {
      title: `output ${Math.floor(i / shape[1])}, input ${i % shape[1]}`,
      "aria-hidden": "true",
    });
    paintPlane(canvas, planeOf(numbers, i), range);
    tiles.append(canvas);
  }
  const all = planes > TILES ? `the first ${TILES} of ${planes}` : `${planes}`;
  return el(
    "figure",
    {},
    tiles,
    el(
      "figcaption",
      {},
      `${all} windows of ${height} × ${width}, in one range of colours: ${short(range.min)} to ${short(range.max)}`,
    ),
  );
}
