// A detector from your own YAML and your own weights. Here the YAML is the default model's and the weights are written
// anew in single precision, as a converter from PyTorch would leave them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadDetector } from "mobiledetr";
import { openSafetensors, saveSafetensors } from "mobiledetr/weights";

const models = fileURLToPath(new URL("../models/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mobiledetr-"));
const weights = join(folder, "mine.safetensors");

const source = openSafetensors(join(models, "codes.f16.safetensors"));
const tensors = source.names.map((name) => {
  return [name, { dtype: "F32", shape: source.entry(name).shape, data: source.read(name) }];
});
saveSafetensors(weights, tensors, { names: source.metadata.get("names") });
source.close();

const detector = await loadDetector({ model: join(models, "codes.yaml"), weights, imgsz: 640 });
console.log(detector.info);
const { detections } = await detector.detect(fileURLToPath(new URL("pictures/cat.jpg", import.meta.url)));
console.log(detections.map(({ name, score }) => `${name} ${score.toFixed(2)}`).join(", "));
await detector.close();
rmSync(folder, { recursive: true });
