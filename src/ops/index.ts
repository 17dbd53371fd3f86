/** The operators: `torch.nn.functional` as plain functions on tensors. */
export * from "./activation.ts";
export * from "./arithmetic.ts";
export * from "./conv.ts";
export * from "./indexing.ts";
export * from "./join.ts";
export * from "./matmul.ts";
export * from "./norm.ts";
export * from "./pooling.ts";
export * from "./reduction.ts";
export * from "./sampling.ts";
