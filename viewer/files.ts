/** What files that a reader opens or drops are: a picture, a trace, weights, a configuration. */

/** Files by what they are. */
export interface Opened {
  readonly pictures: readonly File[];
  readonly traces: readonly File[];
  readonly weights: readonly File[];
  readonly configurations: readonly File[];
}

const LENGTH_BYTES = 8; // of a safetensors header's length
const MAX_HEADER_BYTES = 16e6;
/** Names of parameters, which no output has. */
const PARAMETER = /(^|\.)(weight|bias|running_mean|running_var|in_proj_weight)$/;

/** Sorts files; a safetensors file by its names: weights if most are names of parameters. */
export async function sortFiles(files: Iterable<File>): Promise<Opened> {
  const [pictures, traces, weights, configurations]: File[][] = [[], [], [], []];
  for (const file of files) {
    if (/\.ya?ml$/i.test(file.name)) configurations.push(file);
    else if (/\.npz$/i.test(file.name)) traces.push(file);
    else if (/\.safetensors$/i.test(file.name)) ((await isWeights(file)) ? weights : traces).push(file);
    else pictures.push(file);
  }
  return { pictures, traces, weights, configurations };
}

async function isWeights(file: File): Promise<boolean> {
  const refuse = (got: string): never => {
    throw new Error(`${file.name}: expected a safetensors file, got ${got}`);
  };
  const head = new DataView(await file.slice(0, LENGTH_BYTES).arrayBuffer());
  if (head.byteLength < LENGTH_BYTES) refuse(`${head.byteLength} bytes`);
  const length = head.getUint32(0, true) + 2 ** 32 * head.getUint32(4, true);
  if (length > MAX_HEADER_BYTES || length + LENGTH_BYTES > file.size)
    refuse(`a header of ${length} bytes in a file of ${file.size}`);
  const text = await file.slice(LENGTH_BYTES, LENGTH_BYTES + length).text();
  try {
    const names = Object.keys(JSON.parse(text) as object).filter((name) => name !== "__metadata__");
    return names.filter((name) => PARAMETER.test(name)).length * 2 > names.length;
  } catch {
    return refuse("a header that is no JSON");
  }
}
