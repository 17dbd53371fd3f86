/**
 * What was found in one picture, and the views on it that Ultralytics' `Results` and `Boxes` have, under their names. What needs
 * pixels or files is loaded when it is asked for (`result-pictures.ts`, `result-files.ts`).
 */
import { fail, need } from "../errors.ts";
import type { Colour } from "../image/colours.ts";
import { checkImage, type ImageData8, toRgb } from "../image/image.ts";
import { type Detection, imageIdOf, xywh } from "./detections.ts";
import { rgbOf } from "./result-pixels.ts";
import { type PictureInput, takePicture } from "./sources.ts";

/** Milliseconds per step of one picture. */
export interface Speed {
  /** From bytes to pixels; 0 for raw pixels. */
  readonly decode: number;
  /** From pixels to the input tensor. */
  readonly preprocess: number;
  /** The network. */
  readonly inference: number;
  /** From the raw output to detections. */
  readonly postprocess: number;
}

/** What was found in one picture as plain data: what {@link Results} are in JSON. */
export interface Detections {
  /** The picture's path, where it was given by path. */
  readonly source?: string;
  /** Of the picture, after its EXIF orientation, in pixels. */
  readonly width: number;
  /** As `width`. */
  readonly height: number;
  /** In the order of the queries: not sorted by score. */
  readonly detections: readonly Detection[];
  readonly speed: Speed;
}

/** Where results come from. */
export interface ResultsOrigin {
  /** Class names by number. */
  readonly names: readonly string[];
  /** What was given to `detect`; kept, not copied. */
  readonly image?: PictureInput;
  /** As the detector's. */
  readonly maxPixels?: number;
}

/** One line of {@link Results.summary}. */
export interface SummaryItem {
  readonly name: string;
  readonly class: number;
  readonly confidence: number;
  readonly box: { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number };
}

/** One line of COCO's file of results. */
export interface CocoResult {
  readonly image_id: number | string;
  readonly category_id: number;
  /** x, y of the upper left corner, width, height, in pixels. */
  readonly bbox: readonly [number, number, number, number];
  readonly score: number;
}

/** Whose pixels are taken: a picture that was transferred, or has changed since, must be given again. */
export interface PixelOptions {
  /** In place of what was given to `detect`; of the same size. */
  readonly image?: PictureInput;
}

/** How {@link Results.plot} draws; names and defaults are Ultralytics'. */
export interface PlotOptions extends PixelOptions {
  /** Of the boxes, in pixels; grows with the picture unless said. */
  readonly line_width?: number;
  /** Of the labels, in pixels; grows with the picture unless said. */
  readonly font_size?: number;
  /** Whether boxes have labels. true. */
  readonly labels?: boolean;
  /** Whether labels tell the score. true. */
  readonly conf?: boolean;
  /** Colours by class, or by the number of the detection. "class". */
  readonly color_mode?: "class" | "instance";
  /** Red, green, blue in 0..255, taken in turn; the package's own unless said. */
  readonly colors?: readonly Colour[];
}

/** How {@link Results.crops} cuts; names and defaults are Ultralytics'. */
export interface CropOptions extends PixelOptions {
  /** Box sides are multiplied by this. 1.02. */
  readonly gain?: number;
  /** Pixels added to the sides after that. 10. */
  readonly pad?: number;
  /** Squares, of the longer side. false. */
  readonly square?: boolean;
}

/** A detection's part of the picture. */
export interface Crop {
  /** A copy. */
  readonly image: ImageData8;
  readonly detection: Detection;
}

type BoxForm = "xyxy" | "xywh" | "xyxyn" | "xywhn";

/**
 * The boxes of a result as arrays, row-major, a row a detection, in single precision; made when they are asked for, and once.
 */
export class Boxes {
  /** Class numbers [n]. */
  readonly cls: Int32Array;
  /** Scores [n]. */
  readonly conf: Float32Array;
  /** Height and width of the picture, in pixels. */
  readonly orig_shape: readonly [height: number, width: number];
  readonly #boxes: readonly Detection["box"][];
  readonly #made: { [form in BoxForm]?: Float32Array } = {};

  /** Of detections in a picture of `shape`. */
  constructor(detections: readonly Detection[], shape: readonly [height: number, width: number]) {
    this.cls = Int32Array.from(detections, (one) => one.class);
    this.conf = Float32Array.from(detections, ({ score }) => score);
    this.orig_shape = shape;
    this.#boxes = detections.map(({ box }) => box);
  }

  /** Number of boxes. */
  get length(): number {
    return this.#boxes.length;
  }

  /** x1, y1, x2, y2 in pixels [n, 4]. */
  get xyxy(): Float32Array {
    return this.#form("xyxy", () => this.#boxes.flat());
  }

  /** Centre x, centre y, width, height in pixels [n, 4]. */
  get xywh(): Float32Array {
    return this.#form("xywh", () =>
      this.#boxes.flatMap(([x1, y1, x2, y2]) => [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]),
    );
  }

  /** As `xyxy`, divided by the picture's width and height [n, 4]. */
  get xyxyn(): Float32Array {
    return this.#form("xyxyn", () => this.#normalise(this.xyxy));
  }

  /** As `xywh`, divided by the picture's width and height [n, 4]. */
  get xywhn(): Float32Array {
    return this.#form("xywhn", () => this.#normalise(this.xywh));
  }

  #form(form: BoxForm, make: () => ArrayLike<number>): Float32Array {
    this.#made[form] ??= Float32Array.from(make());
    return this.#made[form];
  }

  #normalise(pixels: Float32Array): Float32Array {
    return pixels.map((side, i) => side / this.orig_shape[(i + 1) % 2]);
  }
}

/**
 * What was found in one picture. In JSON it is {@link Detections}. It keeps what was given to `detect`, by reference, for those
 * who draw on it or cut from it: keep `toJSON()` where pictures should go.
 */
export class Results implements Detections {
  readonly source?: string;
  readonly width: number;
  readonly height: number;
  readonly detections: readonly Detection[];
  readonly speed: Speed;
  readonly #origin: ResultsOrigin;
  #boxes: Boxes | undefined;

  /** Of plain data, such as a line of JSON, and what it was made of. */
  constructor(found: Detections, origin: ResultsOrigin) {
    this.source = found.source;
    this.width = found.width;
    this.height = found.height;
    this.detections = found.detections;
    this.speed = found.speed;
    this.#origin = origin;
  }

  /** The boxes as arrays. */
  get boxes(): Boxes {
    this.#boxes ??= new Boxes(this.detections, this.orig_shape);
    return this.#boxes;
  }

  /** Class names by number. */
  get names(): readonly string[] {
    return this.#origin.names;
  }

  /** Height and width of the picture, in pixels. */
  get orig_shape(): readonly [height: number, width: number] {
    return [this.height, this.width];
  }

  /** As `source`. */
  get path(): string | undefined {
    return this.source;
  }

  /** Number of detections. */
  get length(): number {
    return this.detections.length;
  }

  /** Plain data: `source` (where there is one), `width`, `height`, `detections`, `speed`. */
  toJSON(): Detections {
    const { source, width, height, detections, speed } = this;
    return { source, width, height, detections, speed };
  }

  /** A plain record a detection, in pixels or, `normalize`d, in [0, 1], rounded (halves to even) to so many decimals. */
  summary(options: { normalize?: boolean; decimals?: number } = {}): SummaryItem[] {
    const { normalize = false, decimals = 5 } = options;
    need("normalize", normalize, (v) => typeof v === "boolean", "true or false");
    need("decimals", decimals, (v) => Number.isInteger(v) && v >= 0 && v <= 20, "a whole number in [0, 20]");
    const [w, h] = normalize ? [this.width, this.height] : [1, 1];
    const round = (x: number): number => rounded(x, decimals);
    return this.detections.map(({ name, class: number, score, box: [x1, y1, x2, y2] }) => ({
      name,
      class: number,
      confidence: round(score),
      box: { x1: round(x1 / w), y1: round(y1 / h), x2: round(x2 / w), y2: round(y2 / h) },
    }));
  }

  /**
   * Lines of COCO's file of results, unrounded. `imageId`: the file's name without its ending unless said, as a number where it is
   * one. `categoryIds`: ids by class number; the class numbers themselves unless said.
   */
  toCOCO(options: { imageId?: number | string; categoryIds?: readonly number[] } = {}): CocoResult[] {
    const stem = this.source?.replace(/^.*[\\/]/, "").replace(/\.[^.]*$/, "");
    const { imageId = stem === undefined ? undefined : imageIdOf(stem), categoryIds } = options;
    if (typeof imageId !== "string" && !Number.isInteger(imageId)) {
      fail("argument", "imageId", "a whole number or a name", String(imageId), "the picture had no path");
    }
    return this.detections.map(({ class: number, score, box }) => {
      const category_id = categoryIds ? categoryIds[number] : number;
      if (!Number.isInteger(category_id)) {
        fail("argument", "categoryIds", `a whole number for class ${number}`, String(category_id));
      }
      return { image_id: imageId as number | string, category_id, bbox: xywh(box), score };
    });
  }

  /** YOLO's lines: class, centre x, centre y, width, height in [0, 1], and the score where `save_conf`; numbers as C's %g. */
  toTxt({ save_conf = false }: { save_conf?: boolean } = {}): string {
    need("save_conf", save_conf, (v) => typeof v === "boolean", "true or false");
    const { xywhn, conf, cls } = this.boxes;
    const line = (number: number, i: number): string => {
      const numbers = [...xywhn.subarray(4 * i, 4 * i + 4), ...(save_conf ? [conf[i]] : [])];
      return `${[number, ...numbers.map(general)].join(" ")}\n`;
    };
    return Array.from(cls, line).join("");
  }

  /** The picture's pixels with the boxes drawn on them. What was given is read or drawn again for it. */
  async plot(options: PlotOptions = {}): Promise<ImageData8> {
    const { plot } = await import("./result-output.ts");
    return plot(this, await this.#pixels(options), options);
  }

  /** Every detection's part of the picture; those without a pixel of it are left out. */
  async crops(options: CropOptions = {}): Promise<Crop[]> {
    const { crops } = await import("./result-output.ts");
    return crops(this, await this.#pixels(options), options);
  }

  /** Writes {@link plot} as a PNG or JPEG, by the path's ending, completely or not at all; the path. Not in browsers. */
  async save(path: string, options: PlotOptions = {}): Promise<string> {
    const { savePicture } = await import("./result-output.ts");
    return savePicture(path, () => this.plot(options));
  }

  /** Writes {@link toTxt} in place of what is there; an empty file where nothing was found. Folders are made. Not in browsers. */
  async saveTxt(path: string, options: { save_conf?: boolean } = {}): Promise<string> {
    const { saveText } = await import("./result-output.ts");
    return saveText(path, this.toTxt(options));
  }

  /**
   * Writes {@link crops} to DIR/CLASS/NAME.jpg, NAME2.jpg, ...: nothing is replaced, and no name leads out of the folder.
   * `file_name`: the picture's own unless said, else "im". The paths. Not in browsers.
   */
  async saveCrop(dir: string, options: CropOptions & { file_name?: string } = {}): Promise<string[]> {
    const { saveCrops } = await import("./result-output.ts");
    return saveCrops(dir, options.file_name ?? this.source ?? "im", () => this.crops(options));
  }

  /** RGB of what was given, or is given now. */
  async #pixels(options: PixelOptions): Promise<ImageData8> {
    need("options", options, (v) => typeof v === "object" && v !== null, "an object");
    const { image = this.#origin.image } = options;
    const mend = "give the option image";
    if (image === undefined) {
      const got = "none: it was transferred, or never there";
      fail("argument", "image", "the picture's pixels", got, mend);
    }
    const isRaw =
      typeof image === "object" && image !== null && "data" in image && ArrayBuffer.isView(image.data);
    const pixels = isRaw
      ? toRgb(checkImage(image))
      : await rgbOf((await takePicture(image)).image, this.#origin.maxPixels);
    if (pixels.width !== this.width || pixels.height !== this.height) {
      const got = `one of ${pixels.width} x ${pixels.height}`;
      const expected = `the picture of ${this.width} x ${this.height} pixels that was looked at`;
      fail("argument", "image", expected, got, mend);
    }
    return pixels;
  }
}

/** Python's round(x, decimals). */
function rounded(x: number, decimals: number): number {
  const digits = Math.abs(x).toFixed(100).replace(".", "");
  return Number(downFromHalf(x, digits, digits.length - 100 + decimals).toFixed(decimals));
}

/** C's "%g". */
function general(x: number): string {
  const y = downFromHalf(x, x.toExponential(100).replace(/e.*|\D/g, ""), 6);
  const [mantissa, power] = y.toExponential(5).split("e");
  const exponent = Number(power);
  const strip = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < 6) return strip(y.toFixed(5 - exponent));
  return `${strip(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** x, or a little less where its digits from `at` on are half a unit of an even digit: JavaScript rounds halves up. */
function downFromHalf(x: number, digits: string, at: number): number {
  return /^50*$/.test(digits.slice(at)) && Number(digits[at - 1]) % 2 === 0 ? x - x * Number.EPSILON : x;
}
