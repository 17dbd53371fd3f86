/** What `detect` does to pictures, in one place, so that it can be loaded after the detector was told to. */
export { readPicture } from "../detector/pictures.ts";
export { decodeImage } from "../image/decode.ts";
export { drawDetections } from "../image/draw.ts";
export { encodeImage } from "../image/encode.ts";
export { sniffFormat } from "../image/sniff.ts";
