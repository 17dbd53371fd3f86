/** The model that is used when none is named: its weights ship in the package. */
export const DEFAULT_MODEL = "codes";

/** Configurations that ship with the package. */
export type EmbeddedYaml = "codes" | "rtdetr-mobilenetv4";
