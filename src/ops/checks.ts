/** What every operator asks of its operands before it allocates: one backend, the right dtype, legal numbers. */
import type { Backend, DType, Pair } from "../backend/backend.ts";
import { metaBackend } from "../backend/meta.ts";
import { fail } from "../errors.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Operands by the names that messages give them; absent ones are skipped. */
export type Operands = Readonly<Record<string, Tensor | undefined>>;

/**
 * The backend that all operands share, where the result goes. Meta tensors of different meta backends go together (a
 * parameter waits on the shared one, the input is on the one that counts); the result is then on the one that counts.
 */
export function backendOf(where: string, operands: Operands): Backend {
  let found: Backend | undefined;
  let foundName = "";
  for (const [name, x] of Object.entries(operands)) {
    if (!x) continue;
    const { backend } = x;
    if (!found || (found === metaBackend && backend.name === "meta")) {
      found = backend;
      foundName = name;
    } else if (backend !== found && !(backend.name === "meta" && found.name === "meta")) {
      if (backend.name === "meta") refuseMeta(where, name, foundName, found);
      if (found.name === "meta") refuseMeta(where, foundName, name, backend);
      fail(
        "argument",
        where,
        "all tensors on one backend",
        `${foundName} on ${found.name} and ${name} on ${backend.name}${found.name === backend.name ? " (another instance)" : ""}`,
        "use to(backend)",
      );
    }
  }
  if (!found) fail("argument", where, "at least one tensor", "none");
  return found;
}

function refuseMeta(where: string, name: string, other: string, backend: Backend): never {
  fail(
    "weights",
    where,
    `all tensors on one backend, ${other} is on ${backend.name}`,
    `${name} on meta: it has a shape and no numbers`,
    "its weights were not loaded: load weights first",
  );
}

/** {@link backendOf}, and every operand must be f32. */
export function f32Operands(where: string, operands: Operands): Backend {
  for (const [name, x] of Object.entries(operands)) if (x) checkDtype(where, name, x, ["f32"]);
  return backendOf(where, operands);
}

/** Refuses a tensor of another dtype. */
export function checkDtype(where: string, name: string, x: Tensor, allowed: readonly DType[]): void {
  if (!allowed.includes(x.dtype))
    fail("argument", where, `${name} of dtype ${allowed.join(" or ")}`, x.dtype);
}

/** Refuses a tensor of another rank, `layout` telling what the dimensions are: "[N, C, H, W]". */
export function checkRank(where: string, name: string, x: Tensor, rank: number, layout: string): void {
  if (x.ndim !== rank) fail("argument", where, `${name} ${layout}`, `shape ${formatShape(x.shape)}`);
}

/** Refuses an absent-able vector of another length. */
export function checkVector(where: string, name: string, x: Tensor | undefined, length: number): void {
  if (x && (x.ndim !== 1 || x.shape[0] !== length)) {
    fail("argument", where, `${name} of shape [${length}]`, formatShape(x.shape));
  }
}

/** A number, or one each for height and width, as a pair; whole and at least `least`. */
export function pairOf(where: string, name: string, value: number | Pair, least: number): Pair {
  const pair: Pair = typeof value === "number" ? [value, value] : value;
  if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((v) => Number.isInteger(v) && v >= least)) {
    fail(
      "argument",
      where,
      `${name}: a whole number >= ${least}, or two for height and width`,
      JSON.stringify(value),
    );
  }
  return [pair[0], pair[1]];
}

/** Refuses an empty dimension in what must not be empty, the batch (dimension 0) excepted. */
export function checkNotEmpty(where: string, name: string, x: Tensor): void {
  if (x.shape.slice(1).includes(0)) {
    fail("argument", where, `${name} without empty dimensions after the first`, formatShape(x.shape));
  }
}
