/**
 * What callers of the asynchronous detector may hand in, and what becomes of it on their own thread: bytes and pixels are
 * copied, blobs read, URLs fetched. Nothing is fetched unless its URL was given, as a URL object: a string is a path.
 */
import { fail, MobileDetrError, messageOf } from "../errors.ts";
import { checkImage, type ImageData8 } from "../image/image.ts";
import { rasterise } from "./drawable.ts";
import { pathOf } from "./embedded.ts";
import type { BlobLike, ModelSource, UrlLike, WeightsData, WeightsInput } from "./model-source.ts";
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
 * the caller's own bytes stay the caller's. A promise where bytes have to be waited for.
 */
export function takePicture(image: PictureInput, maxPixels?: number): Posted | Promise<Posted> {
  if (typeof image === "string") return filePosted(image, maxPixels);
  if (typeof image !== "object" || image === null) return { image, transfer: [] };
  if (image instanceof Uint8Array) return filePosted(image, maxPixels);
  if (isBuffer(image)) return filePosted(new Uint8Array(image), maxPixels);
  if (isBlob(image)) return readBlob(image).then((bytes) => filePosted(bytes, maxPixels, bytes));
  if (isUrl(image)) {
    const path = pathOf(image);
    if (path !== undefined) return filePosted(path, maxPixels);
    return fetchBytes(image).then((bytes) => filePosted(bytes, maxPixels, bytes));
  }
  if ("data" in image && ArrayBuffer.isView(image.data)) return pixelsPosted(image);
  const drawn = rasterise(image);
  if (drawn === undefined) return { image: image as ImageInput, transfer: [] }; // refused where it is looked at
  return drawn instanceof Promise ? drawn.then(pixelsPosted) : pixelsPosted(drawn);
}

/** A path or bytes; or their pixels, where only this thread can decode them. `own` may be handed over as it is. */
function filePosted(
  file: string | Uint8Array,
  maxPixels?: number,
  own?: Uint8Array<ArrayBuffer>,
): Posted | Promise<Posted> {
  const start = performance.now();
  const decoded = decodeHere(file, maxPixels);
  if (decoded === undefined) {
    if (typeof file === "string") return { image: file, transfer: [] };
    const bytes = own ?? new Uint8Array(file);
    return { image: bytes, transfer: [bytes.buffer] };
  }
  const source = typeof file === "string" ? file : undefined;
  const post = (image: ImageData8): Posted => ({
    ...pixelsPosted(image),
    source,
    decodeMs: performance.now() - start,
  });
  return decoded instanceof Promise ? decoded.then(post) : post(decoded);
}

function pixelsPosted(image: Parameters<typeof checkImage>[0]): Posted {
  checkImage(image);
  const { width, height, channels } = image;
  const data = new Uint8Array(image.data);
  return { image: { data, width, height, channels }, transfer: [data.buffer] };
}

/** Weights that a thread can be given, over and over: bytes in memory that threads share where they can. */
export async function takeWeights(weights: WeightsInput | undefined): Promise<WeightsData | undefined> {
  if (typeof weights !== "object" || weights === null) return weights;
  if (weights instanceof Uint8Array) return shared(weights);
  if (isBuffer(weights)) return shared(new Uint8Array(weights));
  if (isBlob(weights)) return shared(await readBlob(weights));
  if ("base64" in weights) return { base64: weights.base64 };
  return pathOf(weights as URL) ?? shared(await fetchBytes(weights));
}

/** A model that a thread can be given; `withWeights` is false where others take the place of its own. */
export async function takeModel(
  model: string | ModelSource,
  withWeights: boolean,
): Promise<string | ModelSource> {
  if (typeof model === "string") return model;
  const { name, yaml } = model;
  return { name, yaml, weights: withWeights ? await takeWeights(model.weights) : undefined };
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

async function fetchBytes({ href }: UrlLike): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(href);
    if (!response.ok)
      fail("file", href, "an answer of status 200", `${response.status} ${response.statusText}`.trim());
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof MobileDetrError) throw error;
    return fail("file", href, "a URL that can be fetched", messageOf(error));
  }
}
