/** The repository itself: where it is, and what it finds in the checks' picture, layer of packaging apart. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Detection } from "../../src/detector/detections.ts";
import { Pipeline } from "../../src/detector/pipeline.ts";

/** Root of the repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What the consumer's program asks for. */
export const CONF = 0.05;

/** The picture that every check detects. */
export const PICTURE = new URL("../../examples/pictures/wall.jpg", import.meta.url);

let found: readonly Detection[] | undefined;

/** The sources' own detections, on one thread, from `src`: what every packed form must give bit for bit. */
export async function expectedDetections(): Promise<readonly Detection[]> {
  if (!found) {
    const pipeline = new Pipeline({ conf: CONF, threads: 1 });
    found = pipeline.detect(readFileSync(PICTURE)).detections;
    await pipeline.close();
  }
  return found;
}
