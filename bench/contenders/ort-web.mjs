/**
 * onnxruntime-web, its WASM (CPU) provider, all graph optimizations. SIMD is part of every build of it; threads are
 * worker_threads in Node. See `serve.mjs`.
 */
import { join } from "node:path";
import * as ort from "onnxruntime-web";
import { detectWith } from "./picture.mjs";
import { serve } from "./serve.mjs";

await serve(async ({ case: facts, folder, threads, shape, input }) => {
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.simd = true;
  ort.env.wasm.proxy = false; // on this thread, as the others run
  const session = await ort.InferenceSession.create(join(folder, "model.onnx"), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const infer = async (images) => {
    const { output0 } = await session.run({ images });
    return output0.data;
  };
  const images = input && new ort.Tensor("float32", input, shape);
  return {
    name: "onnxruntime-web",
    version: ort.env.versions.web,
    run: () => infer(images),
    detect: (path) => detectWith(facts, path, (planes) => infer(new ort.Tensor("float32", planes, shape))),
    close: () => session.release(),
  };
});
