/** Detections for people, and as JSON for programs. */

import { preprocessOf } from "../choices.ts";
import type { Detection } from "../detector/detections.ts";
import type { Detections, DetectorInfo } from "../detector/pipeline.ts";
import { describePreprocess } from "./model-options.ts";
import { jsonLine, printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

const DEFAULT_HOW = describePreprocess(preprocessOf()); // goes without saying

/** A line of JSON. */
export function detectionsJson(source: string, { width, height, detections, speed }: Detections): string {
  const rounded = Object.entries(speed).map(([step, ms]) => [step, Math.round(ms * 1000) / 1000]);
  return jsonLine({ source, width, height, detections, speed: Object.fromEntries(rounded) });
}

/** What was loaded, in a line. */
export function describeDetector(info: DetectorInfo): string {
  const { model, names, imgsz, preprocess, backend, threads, conf, revectorized } = info;
  const how = describePreprocess(preprocess);
  const parts = [
    `${printable(model)}: ${names.length} classes`,
    `${imgsz[0]}x${imgsz[1]}${how === DEFAULT_HOW ? "" : ` (${how})`}`,
    `${backend}, ${plural(threads, "thread")}${revectorized ? ", revectorized" : ""}`,
    `scores > ${conf}`,
  ];
  return parts.join(", ");
}

/** What was found in a picture: a line, and a table. */
export function describeDetections(source: string, found: Detections, terminal: Terminal): string {
  const { width, height, detections, speed } = found;
  const total = Object.values(speed).reduce((sum, ms) => sum + ms, 0);
  const steps = Object.entries(speed).map(([step, ms]) => `${step} ${ms.toFixed(0)}`);
  const head = [
    `${terminal.paint("bold", printable(source))}: ${width}x${height} pixels`,
    detections.length === 0 ? "nothing found" : plural(detections.length, "detection"),
    `${total.toFixed(0)} ms (${steps.join(", ")})`,
  ];
  return [head.join(", "), ...detectionRows(detections, terminal)].join("\n");
}

function detectionRows(detections: readonly Detection[], terminal: Terminal): string[] {
  if (detections.length === 0) return [];
  const rows = detections.map(({ name, score, box }) => [
    printable(name),
    score.toFixed(3),
    ...box.map((side) => side.toFixed(1)),
  ]);
  const table = textTable(
    [["class", "score", "x1", "y1", "x2", "y2"], ...rows],
    ["left", "right", "right", "right", "right", "right"],
  );
  return table.map((line, i) => `  ${i === 0 ? terminal.paint("dim", line) : line}`);
}

/** 1 thread, 2 threads. */
export function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
