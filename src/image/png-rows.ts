/**
 * PNG's scan lines to samples and back, in plain TypeScript, for browsers; elsewhere it is pngjs (`vendor.ts`), whose results
 * these are. Reads streams as png-stream.ts writes them: checked beforehand, one IDAT chunk.
 * Source: the PNG specification (W3C, third edition), sections 7 to 9, 11.
 */
import { deflateStored, inflateZlib } from "../inflate.ts";
import { ADAM7_PASSES, crc32, PNG_SAMPLES, type PngColour } from "./png-chunks.ts";

const WHOLE = [[0, 0, 1, 1]] as const;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** RGBA samples, not scaled up from their bit depth; palettes are looked up. */
export interface PngPixels {
  readonly width: number;
  readonly height: number;
  /** Four samples a pixel; 16 bits each where the file has them. */
  readonly data: Uint8Array | Uint16Array;
}

/** Decodes a PNG stream to RGBA samples of its own bit depth; palettes are looked up. */
export function decodePngRows(stream: Uint8Array): PngPixels {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at + 8 <= stream.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...stream.subarray(at + 4, at + 8));
    chunks.set(name, stream.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const [depth, colour, , , interlace] = stream.subarray(24, 29);
  const palette = chunks.get("PLTE");
  const samples = PNG_SAMPLES[colour as PngColour]; // checked beforehand
  const raw = inflateZlib(chunks.get("IDAT") ?? new Uint8Array(0), Number.MAX_SAFE_INTEGER);
  const data = depth === 16 ? new Uint16Array(width * height * 4) : new Uint8Array(width * height * 4);
  const opaque = depth === 16 ? 65535 : colour === 3 ? 255 : (1 << depth) - 1;
  const step = Math.max(1, (depth * samples) >> 3); // bytes from a byte to the one that its filter looks at
  let at = 0;
  for (const [x0, y0, dx, dy] of interlace === 1 ? ADAM7_PASSES : WHOLE) {
    const columns = Math.ceil((width - x0) / dx);
    const rows = Math.ceil((height - y0) / dy);
    if (columns <= 0 || rows <= 0) continue;
    const rowBytes = Math.ceil((columns * depth * samples) / 8);
    const line = new Uint16Array(columns * samples);
    let above = new Uint8Array(rowBytes);
    for (let row = 0; row < rows; row++) {
      const bytes = raw.subarray(at + 1, at + 1 + rowBytes);
      unfilter(raw[at], bytes, above, step);
      unpack(bytes, depth, line);
      above = bytes as Uint8Array<ArrayBuffer>;
      at += 1 + rowBytes;
      let to = ((y0 + row * dy) * width + x0) * 4;
      for (let column = 0, from = 0; column < columns; column++, from += samples, to += dx * 4) {
        if (palette) for (let c = 0; c < 3; c++) data[to + c] = palette[line[from] * 3 + c];
        else if (samples <= 2) data.fill(line[from], to, to + 3);
        else for (let c = 0; c < 3; c++) data[to + c] = line[from + c];
        data[to + 3] = samples === 2 || samples === 4 ? line[from + samples - 1] : opaque;
      }
    }
  }
  return { width, height, data };
}

/** Takes a scan line's filter back, in place; `above` is the line before it, without its filter. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, step: number): void {
  const { length } = line;
  switch (filter) {
    case 0:
      return;
    case 1:
      for (let i = step; i < length; i++) line[i] += line[i - step];
      return;
    case 2:
      for (let i = 0; i < length; i++) line[i] += above[i];
      return;
    case 3:
      for (let i = 0; i < length; i++) line[i] += ((i < step ? 0 : line[i - step]) + above[i]) >> 1;
      return;
    case 4:
      for (let i = 0; i < length; i++) {
        line[i] += i < step ? above[i] : paeth(line[i - step], above[i], above[i - step]);
      }
      return;
    default:
      throw new Error(`unrecognised filter type ${filter}`);
  }
}

/** The neighbour that is nearest to left + up - corner; ties in this order. */
function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

/** A scan line's samples, of 1, 2, 4, 8 or 16 bits, high bits first. */
function unpack(bytes: Uint8Array, depth: number, line: Uint16Array): void {
  if (depth === 8) line.set(bytes.length === line.length ? bytes : bytes.subarray(0, line.length));
  else if (depth === 16) {
    for (let i = 0; i < line.length; i++) line[i] = (bytes[2 * i] << 8) | bytes[2 * i + 1];
  } else {
    const mask = (1 << depth) - 1;
    for (let i = 0; i < line.length; i++) {
      const bit = i * depth;
      line[i] = (bytes[bit >> 3] >> (8 - depth - (bit & 7))) & mask;
    }
  }
}

/** Encodes pixels of colour type 0 (grey), 2 (RGB) or 6 (RGBA), 8 bits a sample. QUIRK: without compressing them. */
export function encodePngRows(
  data: Uint8Array,
  width: number,
  height: number,
  colorType: 0 | 2 | 6,
): Uint8Array {
  const rowBytes = width * PNG_SAMPLES[colorType];
  const raw = new Uint8Array(height * (1 + rowBytes));
  for (let y = 0; y < height; y++) {
    raw.set(data.subarray(y * rowBytes, (y + 1) * rowBytes), y * (1 + rowBytes) + 1);
  }
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header.set([8, colorType], 8);
  const chunks = [
    ["IHDR", header],
    ["IDAT", deflateStored(raw)],
    ["IEND", new Uint8Array(0)],
  ] as const;
  const out = new Uint8Array(8 + chunks.reduce((sum, [, body]) => sum + 12 + body.length, 0));
  const view = new DataView(out.buffer);
  out.set(SIGNATURE);
  let at = 8;
  for (const [name, body] of chunks) {
    view.setUint32(at, body.length);
    for (let i = 0; i < 4; i++) out[at + 4 + i] = name.charCodeAt(i);
    out.set(body, at + 8);
    const end = at + 8 + body.length;
    view.setUint32(end, crc32(out.subarray(at + 4, end)));
    at = end + 4;
  }
  return out;
}
