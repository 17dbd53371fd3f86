/** What the calls of a run cost, counted on shapes alone. */
import { metaBackend } from "../backend/meta.ts";
import { type AnyModule, type Module, replaceTensor, withObserver } from "../nn/index.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Multiply-adds by the call's key (`Stepper`): "0" the model's own, "0.2.1" the second call within its third. */
export type Costs = ReadonlyMap<string, number>;

/**
 * Runs a model on tensors without numbers, in the shapes of its inputs and parameters, and counts convolutions, linear layers,
 * matrix products and sampling of every call, those within it included. The parameters are taken out for the time of the run,
 * and hooks run. A forward that reads numbers cannot be counted: its error.
 */
export function countCosts(model: AnyModule, inputs: readonly unknown[]): Costs {
  const costs = new Map<string, number>();
  const slots = [...model.slots()];
  const frames: { key: string; calls: number }[] = [{ key: "", calls: 0 }];
  try {
    for (const slot of slots) {
      const { dtype, shape } = slot.tensor;
      replaceTensor(slot, new Tensor(metaBackend.allocate(dtype, 0), shape, contiguousStrides(shape)));
    }
    withObserver(
      {
        call: (_module, _inputs, proceed) => {
          const around = frames[frames.length - 1];
          const number = around.calls++;
          const key = frames.length > 1 ? `${around.key}.${number}` : String(number);
          const before = metaBackend.multiplyAdds;
          frames.push({ key, calls: 0 });
          const output = proceed();
          frames.pop();
          costs.set(key, metaBackend.multiplyAdds - before);
          return output;
        },
        value: () => {},
      },
      () => (model as unknown as Module<unknown[], unknown>).call(...inputs.map(shapeOnly)),
    );
  } finally {
    for (const { owner, field, tensor } of slots) (owner as Record<string, unknown>)[field] = tensor;
  }
  return costs;
}

function shapeOnly(value: unknown): unknown {
  if (value instanceof Tensor) return Tensor.empty(metaBackend, value.shape, value.dtype);
  if (Array.isArray(value)) return value.map(shapeOnly);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([field, item]) => [field, shapeOnly(item)]));
}
