/** Making SVG elements. */

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes. */
export function shape(tag: string, attributes: Readonly<Record<string, unknown>>): SVGElement {
  const element = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** An element with a text. */
export function words(tag: string, attributes: Readonly<Record<string, unknown>>, text: string): SVGElement {
  const element = shape(tag, attributes);
  element.textContent = text;
  return element;
}

/** The marker "arrow", for the ends of lines. */
export function arrowHead(): SVGElement {
  const marker = shape("marker", {
    id: "arrow",
    viewBox: "0 0 8 8",
    refX: 7,
    refY: 4,
    markerWidth: 7,
    markerHeight: 7,
    orient: "auto",
  });
  marker.append(shape("path", { d: "M0 0.5L8 4L0 7.5z", class: "arrow" }));
  const defs = shape("defs", {});
  defs.append(marker);
  return defs;
}
