/** What results make of pictures, and write: loaded when it is first asked for, all at once. */
export { saveCrops, savePicture, saveText } from "./result-files.ts";
export { crops, plot } from "./result-pictures.ts";
