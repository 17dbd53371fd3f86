/**
 * A pool's worker with a fault, which the query of its URL names. Faults happen once per memory, at its last word, so
 * that the worker that takes the place is sound:
 * - exit: the thread ends inside its first chunk; die: it throws before it serves (always, with `times=N` so often);
 * - hang: it never leaves its first chunk; slow: it takes 1.5 s for it;
 * - count: none, but every worker counts its chunks in the word `index` before the last.
 */
import { workerData } from "node:worker_threads";
import { controlAt, serve } from "../../../lib/backend/wasm/control.js";
import { instantiateKernels } from "../../../lib/backend/wasm/instantiate.js";

const { module, memory, control, index } = workerData;
const query = new URL(import.meta.url).searchParams;
const fault = query.get("fault");
const words = new Int32Array(memory.buffer);
const last = words.length - 1;
const first = () => Atomics.add(words, last, 1) < Number(query.get("times") ?? 1);

function misbehave() {
  if (fault === "count") Atomics.add(words, last - index, 1);
  else if (first()) {
    if (fault === "exit") process.exit(7);
    if (fault === "slow") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    while (fault === "hang");
  }
}

if (fault === "die" && first()) throw new Error("no start today");
const kernels = instantiateKernels(module, memory);
const functions = kernels.functions.map((kernel) => (...args) => {
  misbehave();
  kernel(...args);
});
serve(controlAt(memory, control), { ...kernels, functions }, index);
