/** What is shown, and its permanent link: the address's hash. */

/** The views. */
export const VIEWS = [
  "boxes",
  "graph",
  "layer",
  "maps",
  "attention",
  "queries",
  "compare",
  "network",
] as const;
export type View = (typeof VIEWS)[number];

/** Everything that the address says. */
export interface State {
  view: View;
  /** Path of the layer. */
  layer: string;
  /** Which call of it, from 1. */
  turn: number;
  /** Which of its outputs. */
  output: number;
  /** Plane of the output: a channel. */
  plane: number;
  /** The cell of that plane; absent where none was chosen. */
  cell?: readonly [row: number, column: number];
  order: "index" | "variance" | "mean";
  threshold: number;
  query: number;
  /** Decoder layers that the boxes have passed. */
  stage: number;
  /** Path of the attention, its head (-1: the mean), and the token that asks. */
  attention: string;
  head: number;
  token: number;
  /** What bars of the network stand for. */
  bar: "seconds" | "multiplyAdds" | "bytes";
  /** Calls that are unfolded on the map, by name. */
  open: string;
  /** Name of the tensor that is compared, and from how many standard deviations on tensors count as apart: its logarithm. */
  diff: string;
  apart: number;
  /** Name of the picture that the page offers and that is compared with. */
  with: string;
  /** Chapter of the lesson, from 1; 0: none. */
  lesson: number;
  picture: string;
  imgsz: number;
}

/** What holds where the address says nothing. */
export const DEFAULTS: State = {
  view: "boxes",
  layer: "model.0.conv0",
  turn: 1,
  output: 0,
  plane: 0,
  order: "index",
  threshold: 0.4,
  query: -1,
  stage: 99,
  attention: "",
  head: -1,
  token: -1,
  bar: "multiplyAdds",
  open: "model.0",
  diff: "",
  apart: -3,
  with: "",
  lesson: 0,
  picture: "",
  imgsz: 640,
};

const KEYS: Readonly<Record<Exclude<keyof State, "cell">, string>> = {
  view: "view",
  layer: "layer",
  turn: "turn",
  output: "out",
  plane: "channel",
  order: "order",
  threshold: "conf",
  query: "query",
  stage: "stage",
  attention: "attn",
  head: "head",
  token: "token",
  bar: "bar",
  open: "open",
  diff: "diff",
  apart: "apart",
  with: "with",
  lesson: "lesson",
  picture: "picture",
  imgsz: "size",
};
const WORDS: Readonly<Record<string, readonly string[]>> = {
  view: VIEWS,
  order: ["index", "variance", "mean"],
  bar: ["seconds", "multiplyAdds", "bytes"],
};

/** Reads an address's hash; what is wrong in it is as if it were not there. */
export function readHash(hash: string, defaults: State): State {
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  const state: Record<string, unknown> = { ...defaults, cell: undefined };
  for (const [field, key] of Object.entries(KEYS)) {
    const text = parameters.get(key);
    if (text === null) continue;
    const fallback = defaults[field as keyof State];
    if (typeof fallback === "number") {
      const value = Number(text);
      if (text !== "" && Number.isFinite(value)) state[field] = value;
    } else if (!WORDS[field] || WORDS[field].includes(text)) state[field] = text;
  }
  const cell = /^(\d+),(\d+)$/.exec(parameters.get("cell") ?? "");
  if (cell) state.cell = [Number(cell[1]), Number(cell[2])];
  return state as unknown as State;
}

/** The hash of a state: what differs from the defaults, and always the view. */
export function writeHash(state: State, defaults: State): string {
  const parameters = new URLSearchParams();
  for (const [field, key] of Object.entries(KEYS)) {
    const value = state[field as keyof State];
    if (field === "view" || value !== defaults[field as keyof State]) parameters.set(key, String(value));
  }
  if (state.cell) parameters.set("cell", state.cell.join(","));
  return `#${parameters.toString().replaceAll("%2C", ",")}`;
}
