/** A model and weights as callers hand them in, as types alone. */

/** A Blob or File: something whose bytes come later. */
export interface BlobLike {
  /** In bytes. */
  readonly size: number;
  /** A promise of its bytes. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A URL object. */
export interface UrlLike {
  readonly href: string;
  readonly protocol: string;
  readonly searchParams: object;
}

/** Weights as a thread can be given them: a safetensors file's path or bytes, or its bytes in base64. */
export type WeightsData = string | Uint8Array | { readonly base64: string };

/** Weights in any form: those, and what their bytes can come from, which `loadDetector` reads or fetches. */
export type WeightsInput = WeightsData | ArrayBuffer | BlobLike | UrlLike;

/** A model as an object: what `mobiledetr/models/codes` exports, and a way to hand in your own without files. */
export interface ModelSource {
  /** For messages and `info`. */
  readonly name: string;
  /** The configuration's text, as a YAML file holds it. */
  readonly yaml: string;
  /** Its weights, unless others are given beside it. */
  readonly weights?: WeightsInput;
}
