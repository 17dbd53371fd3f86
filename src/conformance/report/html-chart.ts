/** The errors of a case's tensors along the depth of the network, on a logarithmic scale: chained dots, forced rings. */
import type { CaseVerdict, TensorVerdict } from "../verdict.ts";
import { escapeHtml as e } from "./html-text.ts";
import { isOutside, numberText, relativeError } from "./summary.ts";

const WIDTH = 960;
const HEIGHT = 220;
const LEFT = 52;
const RIGHT = 12;
const TOP = 14;
const BOTTOM = 34;
/** Below a rounding of float32 there is nothing to see; above 10 nothing to compare. */
const LEAST = -8;
const MOST = 1;

/** A chart as SVG with a caption. Tensors with shapes that do not fit, or missing, are crosses at the top. */
export function depthChart({ tensors, firstDivergence, id }: CaseVerdict): string {
  const names = [...new Set(tensors.map(({ name }) => name))];
  const placeOf = new Map(names.map((name, i) => [name, i]));
  const x = (i: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (i + 0.5)) / names.length;
  const y = (error: number): number => {
    const at = error <= 0 ? LEAST : Math.min(MOST, Math.max(LEAST, Math.log10(error)));
    return TOP + ((HEIGHT - TOP - BOTTOM) * (MOST - at)) / (MOST - LEAST);
  };
  const grid: string[] = [];
  for (let power = LEAST; power <= MOST; power += 1) {
    const at = y(10 ** power).toFixed(1);
    grid.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`);
    if ((power - LEAST) % 2 === 0)
      grid.push(
        `<text x="${LEFT - 6}" y="${at}" dy="3.5" text-anchor="end">${power === 0 ? "1" : `1e${power}`}</text>`,
      );
  }
  const first = firstDivergence === undefined ? undefined : placeOf.get(firstDivergence.name);
  const mark =
    first === undefined
      ? ""
      : `<line class="mark" x1="${x(first).toFixed(1)}" x2="${x(first).toFixed(1)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/><text class="marktext" x="${x(first).toFixed(1)}" y="${HEIGHT - BOTTOM + 14}" text-anchor="${first < names.length * 0.2 ? "start" : first > names.length * 0.8 ? "end" : "middle"}">first divergence: ${e(firstDivergence?.name ?? "")}</text>`;
  const radius = names.length > 300 ? 1.8 : names.length > 80 ? 2.5 : 3.5;
  const dots = tensors.map((tensor) => dot(tensor, x(placeOf.get(tensor.name) ?? 0), y, radius));
  const chained = tensors.filter(({ mode, metrics }) => mode === "chained" && metrics !== undefined);
  const line = chained
    .map(
      (tensor) =>
        `${x(placeOf.get(tensor.name) ?? 0).toFixed(1)},${y(tensor.metrics ? relativeError(tensor.metrics) : 0).toFixed(1)}`,
    )
    .join(" ");
  const forced = tensors.some(({ mode }) => mode === "forced");
  const label = `Relative error of ${names.length} tensors of ${id} in the order in which they are made`;
  return [
    '<figure class="chart">',
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${e(label)}">`,
    `<g class="grid">${grid.join("")}</g>`,
    mark,
    `<polyline class="path" points="${line}"/>`,
    dots.join(""),
    `<text class="axis" x="${LEFT}" y="${HEIGHT - 6}">first</text><text class="axis" x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">last of ${names.length} tensors</text>`,
    "</svg>",
    `<figcaption>Relative error along the depth of the network. <span class="key chained">chained</span>${forced ? ' <span class="key forced">forced</span>' : ""} <span class="key out">out of tolerance</span></figcaption>`,
    "</figure>",
  ].join("");
}

function dot(tensor: TensorVerdict, cx: number, y: (error: number) => number, radius: number): string {
  const { name, mode, status, metrics } = tensor;
  const out = isOutside(tensor);
  const kind = `${mode}${out ? " out" : ""}`;
  if (metrics === undefined) {
    const r = radius + 1;
    return `<path class="${kind}" d="M${(cx - r).toFixed(1)} ${TOP - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}"><title>${e(`${name}: ${status}`)}</title></path>`;
  }
  const error = relativeError(metrics);
  const says = `${name} (${mode}): ${status}, relative error ${numberText(error)}, max abs ${numberText(metrics.maxAbs)}`;
  return `<circle class="${kind}" cx="${cx.toFixed(1)}" cy="${y(error).toFixed(1)}" r="${mode === "forced" ? radius + 1.5 : radius}"><title>${e(says)}</title></circle>`;
}
