/** onnxruntime-node: native code, its CPU provider, all graph optimizations. See `serve.mjs`. */
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { detectWith } from "./picture.mjs";
import { serve } from "./serve.mjs";

await serve(async ({ case: facts, folder, threads, shape, input }) => {
  const session = await ort.InferenceSession.create(join(folder, "model.onnx"), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
  });
  const infer = async (images) => {
    const { output0 } = await session.run({ images });
    return output0.data;
  };
  const images = input && new ort.Tensor("float32", input, shape);
  return {
    name: "onnxruntime-node",
    version: ort.env.versions.node,
    run: () => infer(images),
    detect: (path) => detectWith(facts, path, (planes) => infer(new ort.Tensor("float32", planes, shape))),
    close: () => session.release(),
  };
});
