// Find the codes in a picture with the default model.
import { fileURLToPath } from "node:url";
import { loadDetector } from "mobiledetr";

const picture = fileURLToPath(new URL("pictures/wall.jpg", import.meta.url));

const detector = await loadDetector();
const { width, height, detections, speed } = await detector.detect(picture);
await detector.close();

console.log(`${width} x ${height} pixels, ${speed.inference.toFixed(0)} ms for the network`);
for (const { name, score, box } of detections) {
  console.log(name.padEnd(12), score.toFixed(3), box.map((v) => v.toFixed(1)).join(" "));
}
