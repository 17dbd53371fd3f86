/** Why a number is what it is: its summands, the greatest first, each with its numbers; input cells lead on. */
import { el, exact, shapeText, short } from "./dom.ts";
import { contextOf, paintPhoto, paintPlane, placeOf, planeOf, strokeFrame } from "./paint.ts";
import type { CallRecord, TensorRef, WhyRecord } from "./protocol.ts";
import type { App } from "./view.ts";

const SHOWN = 24; // summands at first

/** The panel of a call's output. `update` with an index computes and shows; without one it invites. */
export function whyPanel(
  app: App,
  call: CallRecord,
  output: number,
): { readonly root: HTMLElement; update(index: readonly number[] | undefined): void } {
  const root = el("section", { class: "why", id: "why", "aria-label": "Why this number" });
  let shown: string | undefined;
  const invite = (): void =>
    root.replaceChildren(
      el("h2", {}, "Why this number?"),
      el(
        "p",
        { class: "soft" },
        "Click a cell of the map, or type its index: here comes the arithmetic that made it.",
      ),
    );
  return {
    root,
    update: (index) => {
      const key = index?.join();
      if (key === shown && root.childNodes.length > 0) return;
      shown = key;
      if (!index) return invite();
      root.setAttribute("aria-busy", "true");
      app.client.ask("why", { n: call.n, output, index }).then(
        (found) => {
          if (shown !== key) return;
          root.removeAttribute("aria-busy");
          root.dataset.index = key;
          show(app, call, found, root);
        },
        (error: unknown) => {
          root.removeAttribute("aria-busy");
          if (shown === key)
            root.replaceChildren(
              el("h2", {}, "Why this number?"),
              el("p", { class: "soft" }, String((error as Error).message)),
            );
        },
      );
    },
  };
}

function show(app: App, call: CallRecord, found: WhyRecord, root: HTMLElement): void {
  const { value, stored, bias, terms, termCount, rest, formula, origin, index } = found;
  const total = terms.reduce((sum, { contribution }) => sum + contribution, 0) + rest + bias;
  root.dataset.total = String(total);
  root.dataset.value = String(value ?? "");
  root.dataset.stored = String(stored);
  const list = el("ol", { class: "terms" });
  const most = Math.max(1e-30, ...terms.map(({ contribution }) => Math.abs(contribution)));
  const add = (from: number, to: number): void => {
    for (const term of terms.slice(from, to)) list.append(row(app, call, term, most));
  };
  add(0, SHOWN);
  const more = el("button", { type: "button", class: "button quiet" }, `Show ${terms.length - SHOWN} more`);
  more.addEventListener("click", () => {
    add(SHOWN, terms.length);
    more.remove();
  });
  const source =
    origin && app.run.record.calls.filter(({ path, n }) => path === origin.path && n > call.n).at(0);
  root.replaceChildren(
    el("h2", {}, "Why this number?"),
    el("p", { class: "result" }, el("code", {}, shapeText(index)), " = ", el("b", {}, exact(stored))),
    el("p", { class: "formula" }, formula),
    ...(source && origin
      ? [
          el(
            "p",
            {},
            "It was made within: ",
            el(
              "button",
              {
                type: "button",
                class: "link",
                id: "origin",
                onclick: () => toCell(app, source, origin.index),
              },
              `${source.path} ${shapeText(origin.index)}`,
            ),
          ),
        ]
      : []),
    ...(value !== undefined
      ? [
          el(
            "p",
            { class: "soft" },
            `In double precision ${short(value, 9)}; the run, in single precision, has ${exact(stored)}: ${short(Math.abs(value - stored), 2)} apart.`,
          ),
        ]
      : []),
    ...(terms.length > 0
      ? [
          el(
            "p",
            { class: "soft" },
            `${termCount} ${termCount === 1 ? "number" : "summands"}${bias !== 0 ? `, and a bias of ${short(bias)}` : ""}${termCount > 1 ? ". The greatest first:" : ":"}`,
          ),
          list,
        ]
      : []),
    ...(terms.length > SHOWN ? [more] : []),
    ...(rest !== 0
      ? [el("p", { class: "soft" }, `and ${termCount - terms.length} smaller ones, together ${short(rest)}`)]
      : []),
  );
  const figures = el("div", { class: "regions" });
  root.append(figures);
  if (found.field) figures.append(receptive(app, found.field));
  const ref = call.inputs[0];
  if (found.region && ref) void region(app, ref, found).then((figure) => figures.prepend(figure), app.fail);
}

/** A summand. */
function row(
  app: App,
  call: CallRecord,
  { factors, contribution, label }: WhyRecord["terms"][number],
  most: number,
): HTMLElement {
  const bar = el("i", { class: contribution < 0 ? "part minus" : "part" });
  bar.style.setProperty("--share", `${((Math.abs(contribution) / most) * 100).toFixed(1)}%`);
  return el(
    "li",
    {},
    el("span", { class: "sum" }, `${contribution < 0 ? "−" : "+"}${short(Math.abs(contribution))}`, bar),
    el(
      "span",
      { class: "factors" },
      label ? `${label}: ` : "",
      ...factors.flatMap((factor, i) => [i > 0 ? " × " : "", factorElement(app, call, factor)]),
    ),
  );
}

/** A factor; of an input whose maker is known, a button that goes there. */
function factorElement(
  app: App,
  call: CallRecord,
  { name, index, value }: WhyRecord["terms"][number]["factors"][number],
): HTMLElement {
  const text = `${name}${index.length > 0 ? shapeText(index) : ""} ${short(value)}`;
  const ref = call.inputs.find((input) => input.name === name);
  const maker = ref && app.run.producer(ref);
  if (!maker || maker.n === call.n || !ref || !placeOf(ref.shape, index)) return el("span", {}, text);
  const go = (): void =>
    toCell(
      app,
      maker,
      index,
      maker.outputs.findIndex(({ id }) => id === ref.id),
    );
  return el(
    "button",
    { type: "button", class: "link", title: `Made by ${maker.path}: on to its arithmetic`, onclick: go },
    text,
  );
}

function toCell(app: App, call: CallRecord, index: readonly number[], output = 0): void {
  const place = placeOf(call.outputs[output].shape, index);
  const cell = place && ([place.row, place.column] as const);
  app.go(call, { view: "maps", output, plane: place?.plane ?? 0, cell });
}

/** The part of the input that took part, framed on the channel of the greatest summand. */
async function region(app: App, ref: TensorRef, { region: part, terms }: WhyRecord): Promise<HTMLElement> {
  const numbers = await app.client.tensor(ref);
  const at = terms[0]?.factors[0]?.index ?? [0, 0, 0, 0];
  const place = placeOf(numbers.shape, at) ?? { plane: 0, row: 0, column: 0 };
  const plane = planeOf(numbers, place.plane);
  const canvas = el("canvas", {
    class: "region",
    role: "img",
    "aria-label": `Rows ${part?.rows.join(" to ")} and columns ${part?.columns.join(" to ")} of the input took part`,
  });
  const small = document.createElement("canvas");
  paintPlane(small, plane);
  const scale = Math.max(1, Math.round(480 / Math.max(plane.width, plane.height)));
  canvas.width = plane.width * scale;
  canvas.height = plane.height * scale;
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  if (part) {
    const [y0, y1] = part.rows;
    const [x0, x1] = part.columns;
    strokeFrame(context, [x0 * scale - 2, y0 * scale - 2, (x1 - x0) * scale + 4, (y1 - y0) * scale + 4], 3);
  }
  const caption = `Looked at: rows ${part?.rows[0]} to ${(part?.rows[1] ?? 1) - 1}, columns ${part?.columns[0]} to ${(part?.columns[1] ?? 1) - 1} of the input; drawn is its channel ${at[1]}.`;
  return el("figure", {}, canvas, el("figcaption", {}, caption));
}

/** The receptive field on the picture: what of it can have made a difference at all. */
function receptive(app: App, { rows, columns }: NonNullable<WhyRecord["field"]>): HTMLElement {
  const [height, width] = app.run.record.imgsz;
  const whole = rows[0] === 0 && columns[0] === 0 && rows[1] === height && columns[1] === width;
  const canvas = el("canvas", {
    class: "photo region",
    id: "field",
    "data-field": [...rows, ...columns].join(),
    role: "img",
    "aria-label": `Rows ${rows.join(" to ")} and columns ${columns.join(" to ")} of the picture can have made a difference`,
  });
  const { context, width: w, height: h, unit } = paintPhoto(canvas, app.run.photo, whole ? 0 : 0.55);
  const [left, top] = [(columns[0] / width) * w, (rows[0] / height) * h];
  const [wide, high] = [((columns[1] - columns[0]) / width) * w, ((rows[1] - rows[0]) / height) * h];
  if (!whole) {
    const { photo } = app.run;
    const [sx, sy] = [photo.width / w, photo.height / h];
    context.drawImage(photo, left * sx, top * sy, wide * sx, high * sy, left, top, wide, high);
  }
  strokeFrame(context, [left, top, wide, high], 2.5 * Math.max(unit, w / 480));
  const caption = whole
    ? `Its receptive field is the whole picture, all ${height} × ${width} pixels of the input.`
    : `Its receptive field: rows ${rows[0]} to ${rows[1] - 1}, columns ${columns[0]} to ${columns[1] - 1} of the ${height} × ${width} input. No other pixel can change this number.`;
  return el("figure", {}, canvas, el("figcaption", {}, caption));
}
