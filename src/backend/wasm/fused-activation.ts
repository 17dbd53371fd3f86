/** Activations that products apply where they write: the type, apart from the engine, because plans' types name it. */

/** Activations that can ride on a product: as `UnaryOp` of the same name, bit for bit. */
export type Activation = "relu" | "relu6" | "silu" | "gelu" | "sigmoid";

/** As `assembly/epilogue.ts` has them. */
const CODES: Readonly<Record<Activation, number>> = { relu: 1, relu6: 2, silu: 3, gelu: 4, sigmoid: 5 };

/** The kernels' code of an activation; 0 for none. */
export function activationCode(activation: Activation | undefined): number {
  return activation === undefined ? 0 : CODES[activation];
}
