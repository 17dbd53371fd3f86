// Pixels instead of a file: what a canvas, a camera or another decoder gives. Calls may overlap; answers keep their order.
import { readFileSync } from "node:fs";
import { loadDetector } from "mobiledetr";
import { decodeImage } from "mobiledetr/image";

const names = ["cat", "coffee", "wall"];
const detector = await loadDetector({ threads: "auto", conf: 0.5 });

const results = await Promise.all(
  names.map((name) => {
    const { data, width, height } = decodeImage(
      readFileSync(new URL(`pictures/${name}.jpg`, import.meta.url)),
    );
    return detector.detect({ data, width, height, channels: 3 }, { max_det: 10, sort: true });
  }),
);

results.forEach(({ detections }, i) => {
  console.log(names[i], detections.map((d) => `${d.name} ${d.score.toFixed(2)}`).join(", "));
});
await detector.close();
