/**
 * onnxruntime-web, its WASM (CPU) provider, all graph optimizations. SIMD is part of every build of it; threads are
 * worker_threads in Node. See `serve.mjs`.
 */
import { join } from "node:path";
import * as ort from "onnxruntime-web";
import { serve } from "./serve.mjs";

await serve(async ({ folder, threads, shape, input }) => {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.simd = true;
  ort.env.wasm.proxy = false; // on this thread, as the others run
  const session = await ort.InferenceSession.create(join(folder, "model.onnx"), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const feeds = { images: new ort.Tensor("float32", input, shape) };
  return {
    name: "onnxruntime-web",
    version: ort.env.versions.web,
    run: async () => (await session.run(feeds)).output0.data,
    close: () => session.release(),
  };
});
