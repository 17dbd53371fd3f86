/** mobiledetr as users get it: the built package, its pipeline with default options, the network alone. See `serve.mjs`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Pipeline } from "../../dist/index.js";
import { Tensor } from "../../dist/tensor/index.js";
import { CONF } from "./picture.mjs";
import { serve } from "./serve.mjs";

await serve(
  async ({ case: { model, weights, classes, size }, folder, threads, revectorize, shape, input }) => {
    const files = weights === null ? { model } : { model, weights: join(folder, weights), nc: classes };
    const pipeline = new Pipeline({ ...files, imgsz: size, threads, revectorize });
    const picture = input && Tensor.empty(pipeline.backend, shape, "f32", "channels_last").keep();
    const values = input && channelsLast(input, shape);
    return {
      name: pipeline.info.revectorized ? "mobiledetr, revectorized," : "mobiledetr",
      version: JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version,
      run: async () => {
        picture.storage.data.set(values); // the peers copy their input into their own memory too
        return pipeline.infer(picture);
      },
      detect: (path) => pipeline.detect(path, { conf: CONF }).detections,
      close: () => pipeline.close(),
    };
  },
);

/** NCHW to NHWC: the order in which `Pipeline.preprocess` writes a picture. */
function channelsLast(input, [, channels, height, width]) {
  const plane = height * width;
  const out = new Float32Array(input.length);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < plane; i++) out[i * channels + c] = input[c * plane + i];
  }
  return out;
}
