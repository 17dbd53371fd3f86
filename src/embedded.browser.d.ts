/** What `tools/bundle-browser.mjs` puts into browser builds. */

/** A WebAssembly module that asc built, in base64. */
declare module "*.wasm" {
  const base64: string;
  export default base64;
}

/** Weights, in base64. */
declare module "*.safetensors" {
  const base64: string;
  export default base64;
}

/** A model's configuration. */
declare module "*.yaml" {
  const text: string;
  export default text;
}

/** The workers' script as a zlib stream in base64; empty within itself. */
declare module "embedded:worker" {
  const packed: string;
  export default packed;
}
