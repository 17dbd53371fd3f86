/** `mobiledetr/weights`: safetensors files, and weights from a counter-based generator. */
export { philox4x32, randomUniform, randomWords } from "./generator.ts";
export * from "./safetensors.ts";
export { seededImage } from "./seeded-image.ts";
export { type SeededOptions, seededTensor } from "./seeded-state.ts";
