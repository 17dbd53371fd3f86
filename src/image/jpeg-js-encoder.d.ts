/** The half of jpeg-js that is bundled: its package declares types for the whole alone. */
declare module "jpeg-js/lib/encoder.js" {
  /** Encodes RGBA pixels, quality 1..100. */
  const encode: (
    image: { data: Uint8Array; width: number; height: number },
    quality: number,
  ) => { data: Uint8Array; width: number; height: number };
  export = encode;
}
