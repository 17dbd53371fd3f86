/** Weights from the generator as a state dict that `loadStateDict` reads: for goldens of networks that nobody trained. */
import { fail } from "../errors.ts";
import type { AnyModule } from "../nn/index.ts";
import type { StateEntry, StateSource } from "../nn/state-source.ts";
import { seededBatchesTracked, seededTensor } from "../weights/seeded-state.ts";

/** Options of {@link seededSource}. */
export interface SeededSourceOptions {
  /** 0 .. 2^32 - 1. */
  readonly seed: number;
  /** Factor on the attention's output projections; 1 unless said. */
  readonly attentionGain?: number;
  /** What the generator puts before the module's names: "model.0." for a stand-alone backbone. "" unless said. */
  readonly prefix?: string;
}

/**
 * A source with everything that `module` (a network that was just built) takes, by docs/generator.md. BatchNorm statistics
 * are the uncalibrated ones. Tensors are made when they are read.
 */
export function seededSource(module: AnyModule, options: SeededSourceOptions): StateSource {
  const { seed, attentionGain: attnGain, prefix = "" } = options;
  const entries = new Map<string, StateEntry>();
  for (const [name, { dtype, shape }] of module.stateDict()) {
    entries.set(name, { dtype: dtype === "f32" ? "F32" : "I64", shape });
  }
  const has = (name: string): boolean => name.startsWith(prefix) && entries.has(name.slice(prefix.length));
  const name = `seeded weights, seed ${seed}`;
  const entry = (key: string): StateEntry =>
    entries.get(key) ?? fail("argument", name, "a name of the network's", JSON.stringify(key));
  return {
    name,
    names: entries.keys(),
    entry,
    readInto: (key, out) => {
      if (out instanceof BigInt64Array) out.fill(BigInt(seededBatchesTracked(prefix + key, seed)));
      else out.set(seededTensor(prefix + key, entry(key).shape, { has, seed, attnGain }));
    },
  };
}
