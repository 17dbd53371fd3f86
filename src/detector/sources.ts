/**
 * What callers of the asynchronous detector may hand in, and what becomes of it on their own thread: bytes and pixels are
 * copied, blobs read, URLs fetched. Nothing is fetched unless its URL was given, as a URL object: a string is a path.
 */
import { fail, MobileDetrError, messageOf } from "../errors.ts";
import { checkImage, type RawImage } from "../image/image.ts";
import type { AbortSignalLike } from "./abort.ts";
import { rasterise } from "./drawable.ts";
import { pathOf } from "./embedded.ts";
import type { BlobLike, ModelSource, UrlLike, WeightsData, WeightsInput } from "./model-source.ts";
import type { Watching } from "./options.ts";
import { decodeHere } from "./picture-file.ts";
import type { ImageInput } from "./pictures.ts";

/**
 * Pictures that a browser holds and draws: an image, canvas or video element, an OffscreenCanvas, an ImageBitmap, or a
 * VideoFrame. The browser has decoded it, so that its pixels may differ from browser to browser; a file's bytes give the same
 * ones everywhere. (Named by what tells them apart: programs for other engines do not know the browser's types.)
 */
export type Drawable =
  | {
      readonly naturalWidth: number;
      readonly naturalHeight: number;
      /** An image element's: resolves when it can be drawn. */
      decode(): Promise<void>;
    }
  | { readonly videoWidth: number; readonly videoHeight: number }
  | {
      readonly displayWidth: number;
      readonly displayHeight: number;
      /** A video frame's. */
      close(): void;
    }
  | {
      readonly width: number;
      readonly height: number;
      /** A canvas's. */
      getContext(kind: "2d"): unknown;
    }
  | {
      readonly width: number;
      readonly height: number;
      /** A bitmap's. */
      close(): void;
    };

/**
 * A picture: a file's path (not in browsers), a file's bytes (JPEG, PNG, BMP, GIF, or what a decoder was registered for) in any
 * form, its URL as an object, pixels, or what a browser draws.
 */
export type PictureInput = ImageInput | ArrayBuffer | BlobLike | UrlLike | Drawable;

/** A picture that may be posted to a thread, and what is handed over with it. */
export interface Posted {
  readonly image: ImageInput;
  readonly transfer: readonly ArrayBuffer[];
  /** Of a picture that was decoded here: its path, if that was given, and how long it took. */
  readonly source?: string;
  readonly decodeMs?: number;
}

/**
 * The picture with bytes of its own: posting a view copies the whole buffer behind it. What was copied here is handed over;
 * the caller's own bytes stay the caller's, unless `transfer`. A promise where bytes have to be waited for.
 */
export function takePicture(
  image: PictureInput,
  {
    transfer = false,
    signal,
    maxPixels,
  }: { readonly transfer?: boolean; readonly signal?: AbortSignalLike; readonly maxPixels?: number } = {},
): Posted | Promise<Posted> {
  const own = (bytes: Uint8Array<ArrayBuffer>): Posted | Promise<Posted> =>
    filePosted(bytes, maxPixels, () => bytes);
  if (typeof image === "string") return filePosted(image, maxPixels);
  if (typeof image !== "object" || image === null) return { image, transfer: [] };
  if (image instanceof Uint8Array)
    return filePosted(image, maxPixels, () => (transfer ? taken(image) : new Uint8Array(image)));
  if (isBuffer(image)) return own(transfer ? taken(new Uint8Array(image)) : new Uint8Array(image.slice(0)));
  if (isBlob(image)) return readBlob(image).then(own);
  if (isUrl(image)) {
    const path = pathOf(image);
    return path === undefined ? fetchBytes(image, { signal }).then(own) : filePosted(path, maxPixels);
  }
  if ("data" in image && ArrayBuffer.isView(image.data)) return pixelsPosted(image, transfer);
  const drawn = rasterise(image);
  if (drawn === undefined) return { image: image as ImageInput, transfer: [] }; // refused where it is looked at
  const post = (pixels: RawImage): Posted => {
    if (transfer && "close" in image && typeof image.close === "function") image.close();
    return pixelsPosted(pixels, true); // they are nobody else's
  };
  return drawn instanceof Promise ? drawn.then(post) : post(drawn);
}

/** Takes bytes away from whoever has them, without a copy: those of a whole buffer that is not shared. */
function taken(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  if (!isBuffer(buffer) || buffer.byteLength !== byteLength) {
    const got = isBuffer(buffer) ? `a view of ${byteLength} of ${buffer.byteLength} bytes` : "shared memory";
    fail("argument", "transfer", "bytes that are a whole buffer", got, "leave transfer out: they are copied");
  }
  return new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
}

/** A path or bytes; or their pixels, where only this thread can decode them. `own` makes bytes that can be given away. */
function filePosted(
  file: string | Uint8Array,
  maxPixels: number | undefined,
  own?: () => Uint8Array<ArrayBuffer>,
): Posted | Promise<Posted> {
  const start = performance.now();
  const decoded = decodeHere(file, maxPixels);
  if (decoded === undefined) {
    if (typeof file === "string") return { image: file, transfer: [] };
    const bytes = own?.() ?? new Uint8Array(file);
    return { image: bytes, transfer: [bytes.buffer] };
  }
  const source = typeof file === "string" ? file : undefined;
  const post = (image: RawImage): Posted => ({
    ...pixelsPosted(image, false),
    source,
    decodeMs: performance.now() - start,
  });
  return decoded instanceof Promise ? decoded.then(post) : post(decoded);
}

function pixelsPosted(image: RawImage, transfer: boolean): Posted {
  const { data: bytes, width, height, channels } = checkImage(image);
  const data = transfer ? taken(bytes) : new Uint8Array(bytes);
  return { image: { data, width, height, channels }, transfer: [data.buffer] };
}

/** Weights that a thread can be given, over and over: bytes in memory that threads share where they can. */
export async function takeWeights(
  weights: WeightsInput | undefined,
  watching: Watching = {},
): Promise<WeightsData | undefined> {
  if (typeof weights !== "object" || weights === null) return weights;
  if (weights instanceof Uint8Array) return shared(weights);
  if (isBuffer(weights)) return shared(new Uint8Array(weights));
  if (isBlob(weights)) {
    const tell = (loaded: number): void =>
      watching.onProgress?.({ phase: "read", loaded, total: weights.size });
    tell(0);
    const bytes = await readBlob(weights);
    tell(bytes.length);
    return shared(bytes);
  }
  if ("base64" in weights) return { base64: weights.base64 };
  return pathOf(weights as URL) ?? shared(await fetchBytes(weights, watching));
}

/** A model that a thread can be given; `withWeights` is false where others take the place of its own. */
export async function takeModel(
  model: string | ModelSource,
  withWeights: boolean,
  watching?: Watching,
): Promise<string | ModelSource> {
  if (typeof model === "string") return model;
  const { name, yaml } = model;
  return { name, yaml, weights: withWeights ? await takeWeights(model.weights, watching) : undefined };
}

/** Whether a value is one that {@link takeWeights} takes; paths and bytes in base64 included. */
export function isWeightsInput(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  if (typeof value !== "object" || value === null) return false;
  const { base64 } = value as { base64?: unknown };
  return (
    value instanceof Uint8Array ||
    isBuffer(value) ||
    isBlob(value) ||
    isUrl(value) ||
    typeof base64 === "string"
  );
}

/** The one copy that the package keeps of them, for the thread and for starting it again. */
function shared(weights: Uint8Array): Uint8Array {
  if (typeof SharedArrayBuffer === "undefined") return new Uint8Array(weights);
  const copy = new Uint8Array(new SharedArrayBuffer(weights.byteLength));
  copy.set(weights);
  return copy;
}

function isBuffer(value: object): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === "[object ArrayBuffer]"; // of any realm
}

function isBlob(value: object): value is BlobLike {
  return "arrayBuffer" in value && typeof value.arrayBuffer === "function" && "size" in value;
}

function isUrl(value: object): value is URL {
  return Object.prototype.toString.call(value) === "[object URL]";
}

async function readBlob(blob: BlobLike): Promise<Uint8Array<ArrayBuffer>> {
  const name = "name" in blob && typeof blob.name === "string" ? blob.name : "blob";
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    return fail("file", name, "a file that can be read", messageOf(error));
  }
}

async function fetchBytes(
  { href }: UrlLike,
  { signal, onProgress }: Watching,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(href, { signal: signal as AbortSignal | undefined });
    if (!response.ok)
      fail("file", href, "an answer of status 200", `${response.status} ${response.statusText}`.trim());
    if (!onProgress || !response.body) return new Uint8Array(await response.arrayBuffer());
    return await readStream(response, onProgress);
  } catch (error) {
    if (error instanceof MobileDetrError || signal?.aborted) throw error;
    return fail("file", href, "a URL that can be fetched", messageOf(error));
  }
}

/** An answer's bytes, told of as they come. */
async function readStream(
  { body, headers }: Response,
  onProgress: NonNullable<Watching["onProgress"]>,
): Promise<Uint8Array<ArrayBuffer>> {
  // The length is of what is sent, which is less than what comes out where that is compressed.
  const length = headers.get("content-encoding") ? 0 : Number(headers.get("content-length"));
  const chunks: Uint8Array[] = [];
  let loaded = 0;
  const tell = (): void => onProgress({ phase: "read", loaded, total: length || undefined });
  tell();
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  for (let next = await reader.read(); next.value; next = await reader.read()) {
    chunks.push(next.value);
    loaded += next.value.length;
    tell();
  }
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
