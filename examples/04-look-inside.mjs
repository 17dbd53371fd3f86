// Every module's output, under the path that it has in PyTorch.
import { readFileSync } from "node:fs";
import { Pipeline } from "mobiledetr";
import { decodeImage } from "mobiledetr/image";
import { traceModules } from "mobiledetr/inspect";
import { tensorStats } from "mobiledetr/tensor";

// Not fused: every BatchNorm is still a step of its own. `Pipeline` computes on the thread that calls it.
const pipeline = new Pipeline({ fuse: false, imgsz: 320 });
const input = pipeline.preprocess(decodeImage(readFileSync(new URL("pictures/cat.jpg", import.meta.url))));

console.log(input.toString());
const { model } = pipeline;
traceModules(
  model,
  () => model.call(input),
  (path, output) => {
    if (!/^model\.(0\.layer1\.convbn_0|2\.ma|19)(\.\w+)?$/.test(path)) return;
    const { mean, std } = tensorStats(output);
    console.log(
      path.padEnd(36),
      `[${output.shape.join(", ")}]`.padEnd(20),
      `mean ${mean.toFixed(4)} std ${std.toFixed(4)}`,
    );
  },
);
await pipeline.close();
