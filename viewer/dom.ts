/** Making elements, and writing numbers. */

type Child = Node | string | undefined | false;

/** An element with attributes (`on...` are listeners, true is an attribute without value, false and undefined none) and children. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, unknown>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== undefined && child !== false) element.append(child);
  return element;
}

/** The element of an id that the page has. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

/** A labelled choice. */
export function choice(
  label: string,
  id: string,
  options: readonly (readonly [value: string, text: string])[],
  value: string,
  change: (value: string) => void,
): HTMLElement {
  const select = el("select", { id, onchange: () => change(select.value) });
  for (const [own, text] of options)
    select.append(el("option", { value: own, selected: own === value }, text));
  return el("label", { class: "field" }, el("span", {}, label), select);
}

/** How sliders show their values. */
const SHOWN = new WeakMap<Element, (value: number) => string>();

/** Sets a control that {@link choice} or {@link slider} made to what the state says, where something else changed that. */
export function setControl(root: ParentNode, id: string, value: string | number): void {
  const control = root.querySelector<HTMLInputElement | HTMLSelectElement>(`#${id}`);
  if (!control || control.value === String(value)) return;
  control.value = String(value);
  const output = root.querySelector(`output[for="${id}"]`);
  const show = SHOWN.get(control);
  if (output && show) output.textContent = show(Number(control.value));
}

/** A labelled slider with its value beside it. */
export function slider(
  label: string,
  id: string,
  { min, max, step, value }: { min: number; max: number; step: number; value: number },
  show: (value: number) => string,
  change: (value: number) => void,
): HTMLElement {
  const output = el("output", { for: id }, show(value));
  const input = el("input", {
    type: "range",
    id,
    min,
    max,
    step,
    value,
    oninput: () => {
      output.textContent = show(input.valueAsNumber);
      change(input.valueAsNumber);
    },
  });
  SHOWN.set(input, show);
  return el("label", { class: "field wide" }, el("span", {}, label), input, output);
}

/** A number in a few digits. */
export function short(x: number, digits = 4): string {
  if (!Number.isFinite(x)) return String(x);
  if (x === 0) return "0";
  const size = Math.abs(x);
  return size >= 1e6 || size < 1e-4 ? x.toExponential(digits - 1) : String(Number(x.toPrecision(digits)));
}

/** A number in so many digits that it is told from all other f32. */
export function exact(x: number): string {
  return String(Number(Math.fround(x).toPrecision(9)));
}

/** A count with a unit's prefix: 12.3 k, 4.5 M. */
export function count(x: number): string {
  const units: readonly [number, string][] = [
    [1e9, " G"],
    [1e6, " M"],
    [1e3, " k"],
  ];
  for (const [unit, name] of units) if (x >= unit) return `${Number((x / unit).toPrecision(3))}${name}`;
  return String(x);
}

/** A duration. */
export function duration(seconds: number): string {
  const ms = seconds * 1000;
  if (ms >= 100) return `${Math.round(ms)} ms`;
  return ms >= 0.1 ? `${Number(ms.toPrecision(2))} ms` : `${Math.round(ms * 1000)} µs`;
}

/** A shape as PyTorch prints it. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
