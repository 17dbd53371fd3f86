/** `vendor.ts` for browsers: neither zlib nor pngjs, whose parts that are needed are written here; same results. */
export { deflateStored as storeUncompressed, inflateZlib as inflate } from "../inflate.ts";
export {
  decodePngRows as decodePngStream,
  encodePngRows as encodePngStream,
  type PngPixels,
} from "./png-rows.ts";
