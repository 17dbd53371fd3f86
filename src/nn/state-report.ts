/** The differences between a state dict and a module in words, shortened where there are many. */
import { formatShape } from "../tensor/shape.ts";
import type { AnyModule } from "./module.ts";
import { mismatchHint } from "./state-hints.ts";
import type { MisfitTensor, StateMismatch } from "./state-mismatch.ts";

const LISTED = 20; // lines per kind that a message spells out

/** What differs, one name a line, at most twenty of a kind; empty where nothing does. */
export function describeMismatch(mismatch: StateMismatch, module: AnyModule, prefix: string): string {
  const { missing, unexpected, misshaped, mistyped } = mismatch;
  const shapes = (m: MisfitTensor): string =>
    `${m.name}: model ${formatShape(m.expected)}, file ${formatShape(m.got)}`;
  const types = (m: MisfitTensor): string => `${m.name}: model f32, file ${m.dtype}`;
  const sections = [
    section("missing from the file", missing),
    section("unexpected, not in the model", unexpected),
    section("of another shape", misshaped.map(shapes)),
    section("of another type", mistyped.map(types)),
  ];
  const hint = mismatchHint(mismatch, module, prefix);
  return [...sections, hint && `hint: ${hint}`].filter((text) => text !== "").join("\n");
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `  ${lines.length} ${title}:${listLines(lines)}`;
}

/** Each on a line of its own, indented; the first twenty and how many there are besides. */
export function listLines(lines: readonly string[]): string {
  const rest = lines.length - LISTED;
  const shown = lines.slice(0, LISTED).map((line) => `\n    ${line}`);
  return `${shown.join("")}${rest > 0 ? `\n    ... and ${rest} more` : ""}`;
}
