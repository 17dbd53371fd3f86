/**
 * Names what a file is that was given as `.safetensors` and is none: other weight formats, pointers to files
 * that were never fetched, error pages. Only asked once a file has been refused, so a guess can spoil no good
 * file.
 */

/** What a file looks like, and what to do about it. */
export interface Mistake {
  /** "a PyTorch checkpoint (zip archive)" */
  readonly what: string;
  /** The way from there to a safetensors file. */
  readonly mend: string;
}

/**
 * How many bytes of a file {@link recogniseMistake} wants to see: through the magic of a tar archive at 257.
 */
export const MISTAKE_HEAD_BYTES = 512;

const CONVERT_TORCH =
  "in Python: safetensors.torch.save_file(state_dict, path), with the state_dict that torch.load gives";
const CONVERT = "only .safetensors files are read here";
const FETCH = "fetch the file itself";

/** Formats that begin with fixed bytes. `\x00`-`\xff` stand for bytes. */
const MAGICS: readonly (readonly [magic: string, at: number, what: string, mend: string])[] = [
  ["version https://git-lfs", 0, "a Git LFS pointer", `${FETCH}: git lfs pull`],
  ["\x80\x02\x8a\x0al\xfc\x9cF", 0, "a PyTorch checkpoint of the old kind (pickle)", CONVERT_TORCH],
  ["ustar", 257, "a tar archive", CONVERT],
  ["GGUF", 0, "a GGUF file", CONVERT],
  ["\x89HDF\r\n\x1a\n", 0, "an HDF5 file (Keras)", CONVERT],
  ["\x93NUMPY", 0, "a NumPy array (.npy)", CONVERT],
  ["TFL3", 4, "a TensorFlow Lite model", CONVERT],
  ["\x1f\x8b", 0, "a gzip archive", "unpack it first"],
  ["\x89PNG", 0, "a PNG image", "was it meant as the source?"],
  ["\xff\xd8\xff", 0, "a JPEG image", "was it meant as the source?"],
];

/** Tags of ModelProto's length-delimited fields: 2, 3, 4, 6, 7 and 8. */
const ONNX_SECOND_TAGS: readonly number[] = [0x12, 0x1a, 0x22, 0x32, 0x3a, 0x42];

/** What the first bytes of a file look like, or undefined where they look like nothing known. */
export function recogniseMistake(head: Uint8Array): Mistake | undefined {
  // One character a byte: enough for comparing with magics.
  const text = String.fromCharCode(...head.subarray(0, MISTAKE_HEAD_BYTES));
  for (const [magic, at, what, mend] of MAGICS) {
    if (text.startsWith(magic, at)) return { what, mend };
  }
  if (text.startsWith("PK\x03\x04") || text.startsWith("PK\x05\x06")) return zipArchive(text);
  if (head[0] === 0x80 && head[1] >= 2 && head[1] <= 5)
    return { what: "a Python pickle", mend: CONVERT_TORCH };
  if (looksLikeOnnx(head)) {
    return { what: "what looks like an ONNX model", mend: "export the weights, not the graph" };
  }
  if (head.length >= 8 && head.every((byte) => byte === 0)) {
    return { what: "zero bytes only", mend: "an interrupted download? fetch it again" };
  }
  return plainText(text);
}

/**
 * Field 1 (ir_version, a small number) of an ONNX ModelProto, then a string, a graph or a list of operator
 * sets.
 */
function looksLikeOnnx(head: Uint8Array): boolean {
  const headerBegins = head[8] === 0x7b;
  return (
    head[0] === 0x08 && head[1] >= 1 && head[1] < 32 && ONNX_SECOND_TAGS.includes(head[2]) && !headerBegins
  );
}

function zipArchive(text: string): Mistake {
  if (/\.pkl|\.pt\/|\/data\/|\/version/.test(text)) {
    return { what: "a PyTorch checkpoint (zip archive)", mend: CONVERT_TORCH };
  }
  if (text.includes(".npy")) return { what: "NumPy arrays (.npz)", mend: CONVERT };
  return { what: "a zip archive", mend: "unpack it first; a PyTorch .pt or .pth must be converted" };
}

function plainText(text: string): Mistake | undefined {
  // Bytes from 0x80 on may be UTF-8; other control bytes are not text.
  if (text === "" || [...text].some(isControl)) return undefined;
  const start = text.replace(/^\xef\xbb\xbf/, "").trimStart();
  if (/^<(?:!doctype|html|head|body|\?xml|!--)/i.test(start)) {
    return { what: "an HTML or XML page", mend: `${FETCH}, not the page about it or a login page` };
  }
  if (/^[{[]/.test(start)) {
    return { what: "a JSON text", mend: "if it is the index of a split model, give its .safetensors parts" };
  }
  const line = start.split(/[\r\n]/, 1)[0].replace(/[^ -~]/g, "?");
  const shown = line.length > 40 ? `${line.slice(0, 40)}...` : line;
  return { what: `a text that begins with ${JSON.stringify(shown)}`, mend: FETCH };
}

/** A byte that text does not have: a control character other than the white space among them. */
function isControl(character: string): boolean {
  return character < " " && !/\s/.test(character);
}
