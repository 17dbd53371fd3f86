// Draw what was found, and write it as PNG. Usage: node examples/03-draw.mjs [OUTPUT.png]
import { readFileSync, writeFileSync } from "node:fs";
import { loadDetector } from "mobiledetr";
import { decodeImage, drawDetections, encodeImage } from "mobiledetr/image";

const image = decodeImage(readFileSync(new URL("pictures/coffee.jpg", import.meta.url)));

const detector = await loadDetector();
const { detections } = await detector.detect(image);
await detector.close();

const drawn = drawDetections(
  image,
  detections.map(({ box, name, score, class: classId }) => ({
    box,
    classId,
    label: `${name} ${score.toFixed(2)}`,
  })),
);
const output = process.argv[2] ?? "coffee.detected.png";
writeFileSync(output, encodeImage(drawn, "png"));
console.log(`${detections.length} detections drawn into ${output}`);
