/** What the pages under test put on their window, and what tests run in them: functions that close over nothing. */
import type * as library from "../../../dist/index.js";

/** On every page. */
export interface PageApi {
  readonly Detector: typeof library.Detector;
  readonly loadDetector: typeof library.loadDetector;
  readonly MobileDetrError: typeof library.MobileDetrError;
  readonly codes: library.ModelSource;
}

declare global {
  interface Window {
    readonly api: PageApi;
  }
}

/** What {@link detectOnPage} finds. */
export interface Found {
  readonly info: library.DetectorInfo;
  readonly detections: readonly (readonly library.Detection[])[];
  /** Of the page's event loop, while it detected. */
  readonly ticks: number;
}

/** Loads the default model and finds what is in a picture, handed in in every form that gives the same bits. */
export async function detectOnPage(options: {
  picture: string;
  imgsz: number;
  threads?: number;
}): Promise<Found> {
  const { loadDetector, codes } = window.api;
  const { picture, ...own } = options;
  const detector = await loadDetector({ ...own, model: codes });
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const blob = await (await fetch(picture)).blob();
  const bytes = await blob.arrayBuffer();
  const found = await Promise.all([
    detector.detect(bytes),
    detector.detect(new Uint8Array(bytes)),
    detector.detect(blob),
    detector.detect(new File([blob], "picture.jpg")),
    detector.detect(new URL(picture, location.href)),
  ]);
  clearInterval(timer);
  await detector.close();
  return { info: detector.info, detections: found.map(({ detections }) => detections), ticks };
}

/** An error of a call, as plain data; what is no MobileDetrError has no code. */
export interface Refusal {
  readonly code: string | undefined;
  readonly message: string;
}
