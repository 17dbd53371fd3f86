/** Pictures through the detector, one after the other; while one is worked on, the next is fetched and decoded. */
import { type Detector, loadDetector } from "../detector/detector.ts";
import type { DetectorOptions } from "../detector/options.ts";
import type { Detections } from "../detector/pipeline.ts";
import type { ImageData8 } from "../image/image.ts";
import type { ImageFormat, Sniffed } from "../image/sniff.ts";
import { type FetchLimits, fetchPicture } from "./fetch-picture.ts";
import type { Source } from "./sources.ts";

/** What draws and decodes, loaded late. */
export type PictureTools = typeof import("./picture-tools.ts");

/** A picture's pixels and what is known of its file. */
export interface OpenPicture {
  readonly pixels: ImageData8;
  readonly format: ImageFormat;
  readonly decodeMs: number;
}

/** What a run is made of, and who is told. */
export interface PictureRun<S extends Source> {
  readonly sources: AsyncIterator<S>;
  readonly options: () => DetectorOptions;
  /** Limits of what is fetched; without any nothing is. */
  readonly limits?: Pick<FetchLimits, "maxBytes" | "timeout">;
  /** The detector is there; nothing was done yet. */
  loaded(detector: Detector, tools: PictureTools): void;
  /** Work on a source begins, or is so far. */
  begun(text: string): void;
  done(source: S, found: Detections, picture: OpenPicture): void | Promise<void>;
  failed(source: S, error: unknown): void;
}

type Opened<S> =
  | { readonly source: S; readonly picture: OpenPicture }
  | { readonly source: S; readonly error: unknown };

/** Goes through all sources. One that fails, also in `done`, stops no other. Without a single one that may be good nothing is loaded. */
export async function runPictures<S extends Source>(run: PictureRun<S>): Promise<void> {
  const { sources } = run;
  let first = await sources.next();
  for (; !first.done && first.value.kind === "failed"; first = await sources.next()) {
    run.failed(first.value, first.value.error);
  }
  if (first.done) return;
  const loading = loadDetector(run.options());
  loading.catch(() => undefined); // said below, where it is awaited
  const tools = await import("./picture-tools.ts"); // codecs are large: the detector's thread starts meanwhile
  const next = async (): Promise<Opened<S> | undefined> => {
    const { value, done } = await sources.next();
    return done ? undefined : tryToOpen(tools, value, run);
  };
  let upcoming: Promise<Opened<S> | undefined> = tryToOpen(tools, first.value, run);
  const detector = await loading;
  try {
    run.loaded(detector, tools);
    for (let opened = await upcoming; opened; opened = await upcoming) {
      const detecting =
        "error" in opened ? Promise.reject(opened.error) : detector.detect(opened.picture.pixels);
      detecting.catch(() => undefined); // said below
      upcoming = next();
      upcoming.catch(() => undefined); // as well
      try {
        const found = await detecting;
        if ("picture" in opened) {
          const { decodeMs } = opened.picture;
          await run.done(
            opened.source,
            { ...found, speed: { ...found.speed, decode: decodeMs } },
            opened.picture,
          );
        }
      } catch (error) {
        run.failed(opened.source, error);
      }
    }
  } finally {
    await detector.close();
  }
}

/** Decoded here rather than in the detector's thread: the same pixels are drawn on. One that fails must not stop the others. */
async function tryToOpen<S extends Source>(
  tools: PictureTools,
  source: S,
  { limits, begun }: PictureRun<S>,
): Promise<Opened<S>> {
  try {
    if (source.kind === "failed") throw source.error;
    const { name } = source;
    begun(name);
    let bytes = source.kind === "bytes" ? source.bytes : undefined;
    if (source.kind === "url" && limits) {
      const progress = (done: number, total?: number): void =>
        begun(`${megabytes(done)}${total ? ` of ${megabytes(total)}` : ""} MB of ${name}`);
      bytes = await fetchPicture(name, { ...limits, progress });
    }
    const start = performance.now();
    const { pixels, format = "png" } = bytes
      ? {
          pixels: tools.decodeImage(bytes, { source: name }),
          format: encodedFormat(tools.sniffFormat(bytes)),
        }
      : tools.readPicture(name);
    return { source, picture: { pixels, format, decodeMs: performance.now() - start } };
  } catch (error) {
    return { source, error };
  }
}

/** The format that a drawing of a picture has: the picture's own where it can be written. */
function encodedFormat({ format }: Sniffed): ImageFormat | undefined {
  return format === "jpeg" || format === "png" ? format : undefined;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
