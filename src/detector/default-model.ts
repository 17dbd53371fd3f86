/** The model that is used when none is named: its weights ship in the package. */
export const DEFAULT_MODEL = "codes";
