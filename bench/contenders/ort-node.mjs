/** onnxruntime-node: native code, its CPU provider, all graph optimizations. See `serve.mjs`. */
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { serve } from "./serve.mjs";

await serve(async ({ folder, threads, shape, input }) => {
  const session = await ort.InferenceSession.create(join(folder, "model.onnx"), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
  });
  const feeds = { images: new ort.Tensor("float32", input, shape) };
  return {
    name: "onnxruntime-node",
    version: ort.env.versions.node,
    run: async () => (await session.run(feeds)).output0.data,
    close: () => session.release(),
  };
});
