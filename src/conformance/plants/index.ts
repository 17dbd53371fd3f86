/** The planted mistakes: implementations that are wrong in one known way each, which the kit must reject and name. */
import { BLOCK_PLANTS } from "./blocks.ts";
import { OPERATOR_PLANTS } from "./operators.ts";
import type { Plant } from "./tools.ts";
import { TRAFFIC_PLANTS } from "./traffic.ts";

export type { Plant } from "./tools.ts";

/** All of them. */
export const PLANTS: readonly Plant[] = [...OPERATOR_PLANTS, ...BLOCK_PLANTS, ...TRAFFIC_PLANTS];
