/**
 * A JPEG's frame header: size, components, kind; and the two ways in which a JPEG is refused.
 * Source: ITU-T T.81, B.2.2.
 */
import { fail } from "../errors.ts";
import { checkDeclaredSize } from "./limits.ts";

/** One colour component: its sampling factors, 1..4, and the number of its quantisation table, 0..3. */
export interface JpegComponent {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  readonly table: number;
}

/** The frame header. */
export interface JpegFrame {
  readonly width: number;
  readonly height: number;
  readonly progressive: boolean;
  readonly components: readonly JpegComponent[];
  /** The largest sampling factors: a coding unit is 8 maxH by 8 maxV pixels. */
  readonly maxH: number;
  readonly maxV: number;
}

const PROGRESSIVE = 0xc2;
const TO_CONVERT = "convert the picture to baseline or progressive JPEG, or to PNG";

/** Frame kinds that are refused, by marker. */
const OTHER_FRAMES: Readonly<Record<number, string>> = {
  195: "lossless JPEG",
  197: "hierarchical JPEG",
  198: "hierarchical JPEG",
  199: "hierarchical lossless JPEG",
  201: "JPEG with arithmetic coding",
  202: "progressive JPEG with arithmetic coding",
  203: "lossless JPEG with arithmetic coding",
  205: "hierarchical JPEG with arithmetic coding",
  206: "hierarchical JPEG with arithmetic coding",
  207: "hierarchical JPEG with arithmetic coding",
};

/** Reads the body of a frame header (SOFn) and checks it. Throws code "format", or "memory" above `maxPixels`. */
export function readFrame(marker: number, body: Uint8Array, maxPixels: number, where: string): JpegFrame {
  const other = OTHER_FRAMES[marker];
  if (other) fail("format", where, "baseline or progressive JPEG", other, TO_CONVERT);
  if (body.length < 6 || body.length < 6 + body[5] * 3) {
    corrupt(where, "a frame header of 6 bytes and 3 for each component", `${body.length}`);
  }
  const precision = body[0];
  if (precision !== 8) fail("format", where, "8 bits a sample", `${precision}`, TO_CONVERT);
  const height = (body[1] << 8) | body[2];
  const width = (body[3] << 8) | body[4];
  checkDeclaredSize(width, height, maxPixels, where);
  const count = body[5];
  if (count !== 1 && count !== 3 && count !== 4) corrupt(where, "1, 3 or 4 colour components", `${count}`);
  const components: JpegComponent[] = [];
  for (let i = 6; i < 6 + count * 3; i += 3) {
    const component = { id: body[i], h: body[i + 1] >> 4, v: body[i + 1] & 15, table: body[i + 2] };
    if (Math.min(component.h, component.v) < 1 || Math.max(component.h, component.v) > 4) {
      corrupt(where, "sampling factors 1..4", `${component.h} x ${component.v}`);
    }
    if (components.some((c) => c.id === component.id)) {
      corrupt(where, "components of different numbers", `${component.id} twice`);
    }
    components.push(component);
  }
  const maxH = Math.max(...components.map((c) => c.h));
  const maxV = Math.max(...components.map((c) => c.v));
  for (const { h, v } of components) {
    if (maxH % h === 0 && maxV % v === 0) continue;
    const got = `${h} x ${v} beside ${maxH} x ${maxV}`;
    fail("format", where, "sampling factors that divide the largest", got, TO_CONVERT); // as in libjpeg
  }
  return { width, height, progressive: marker === PROGRESSIVE, components, maxH, maxV };
}

/** Refuses data that cannot be right. */
export function corrupt(where: string, expected: string, got: string): never {
  fail("format", where, `a JPEG picture with ${expected}`, got, "the file is damaged");
}

/** Refuses data that stops early. */
export function failTruncated(where: string, expected: string, got: string): never {
  fail("format", where, `a whole JPEG picture with ${expected}`, got, "the file is cut off; fetch it again");
}
