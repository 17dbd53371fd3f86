/** What a pool's worker thread runs: an instance of the kernels on the shared memory, then jobs until told to quit. */
import { workerData } from "node:worker_threads";
import { controlAt, serve } from "./control.ts";
import { instantiateKernels } from "./instantiate.ts";
import type { WorkerData } from "./pool-worker.ts";

const { module, memory, control, index } = workerData as WorkerData;
serve(controlAt(memory, control), instantiateKernels(module, memory), index);
