/**
 * The conformance kit on disk: the folder `conformance/` of the repository. Opening reads `kit.json`; a case is read when it is
 * asked for, and everything that is read is checked against its SHA-256 first. What a case consists of is in `manifest.ts`, how
 * manifests are checked in `kit-check.ts`, how tensors come about in `kit-tensors.ts`. Runs nothing: that is `session.ts`.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail, messageOf } from "../errors.ts";
import { matchesGlob } from "../glob.ts";
import { openFileSource } from "../weights/file-source.ts";
import { openSafetensors, type SafetensorsFile } from "../weights/safetensors.ts";
import type { HostTensor, HostTensors } from "./host-tensor.ts";
import {
  type CaseSummary,
  checkCase,
  checkKitIndex,
  checkParameterSet,
  type KitIndex,
  type ParameterSetUse,
  type SharedFile,
  type StoredCase,
} from "./kit-check.ts";
import { elementsOf, makeTensor, type SourceFiles } from "./kit-tensors.ts";
import { LazyTensors } from "./lazy-tensors.ts";
import type { CaseManifest, ExpectedTensor, GivenTensor, Level } from "./manifest.ts";
import { samplePositions } from "./samples.ts";

export type { CaseSummary } from "./kit-check.ts";

/** Which cases: those that fit everything that is given. */
export interface CaseFilter {
  /** All unless said. */
  readonly levels?: readonly Level[];
  /** Glob patterns on ids, any of which fits: "L0/**", "L1/uib/*"; a plain id fits itself and all below it ("L3/detector"). */
  readonly patterns?: readonly string[];
}

/** A case with its tensors. Values are made or read when they are asked for and not kept: dropping the case frees all. */
export interface LoadedCase {
  /** What `case.json` says, checked. */
  readonly manifest: CaseManifest;
  /** By name; each `get` makes the tensor anew. */
  readonly inputs: HostTensors;
  /** By state-dict name; each `get` makes the tensor anew, so that a large model is never here twice. */
  readonly parameters: HostTensors;
  /** PyTorch's float32 result by name: whole, or [samples] where the manifest's tensor has `samples`. */
  readonly expected: HostTensors;
  /** PyTorch's float64 result (F64), elements as in `expected`; lacks what was not made. */
  readonly doubles: HostTensors;
  /** The manifest's tensor of that name. Throws `argument` for a name that the case does not have. */
  output(name: string): ExpectedTensor;
  /** Flat indices of the samples; undefined where the whole tensor is kept. Throws as {@link output}. */
  positions(name: string): Uint32Array | undefined;
}

/** An open kit. */
export interface Kit {
  /** Where it lies. */
  readonly folder: string;
  /** The kit's own version, for reports: "1.0". */
  readonly version: string;
  /** PyTorch's version that made it. */
  readonly torch: string;
  /** The cases in the kit's order: by level, then as they were written. */
  cases(filter?: CaseFilter): readonly CaseSummary[];
  /** Reads and checks a case. Rejects with `argument` for an unknown id, `file` and `format` for what is missing or tampered with. */
  read(id: string): Promise<LoadedCase>;
}

/** Where the kit is in a clone of the repository: beside `src` and `dist`. */
export const KIT_FOLDER = fileURLToPath(new URL("../../conformance/", import.meta.url));

const NO_KIT = "clone the repository: the npm package ships no kit; or name the kit's folder";

/**
 * Opens a kit. Default: the repository's `conformance` folder; the npm package ships none.
 * Rejects with `file` where there is none, `format` where `kit.json` is not sound.
 */
export async function openKit(folder: string = KIT_FOLDER): Promise<Kit> {
  const path = join(folder, "kit.json");
  const index = checkKitIndex(parseJson(readWhole(path, NO_KIT), path), path);
  const shared = new Map(index.shared.map((file) => [file.path, file]));
  return {
    folder,
    version: index.version,
    torch: index.torch,
    cases: (filter = {}) => index.cases.filter((line) => fits(line, filter)),
    read: async (id) => readCase(folder, findCase(index, id), shared),
  };
}

/** What of a whole tensor a case compares: the tensor itself, or [samples] elements of it. Throws `argument` for another shape. */
export function takeSamples(expected: ExpectedTensor, whole: HostTensor): HostTensor {
  const positions = positionsOf(expected);
  if (positions === undefined) return whole;
  if (String(whole.shape) !== String(expected.shape)) {
    const [want, got] = [expected.shape, whole.shape].map((shape) => `shape [${shape.join(", ")}]`);
    fail("argument", `tensor ${JSON.stringify(expected.name)}`, want, got);
  }
  return pick(whole, positions);
}

/** The elements at these flat positions, in their order; shape [positions]. */
export function pick(tensor: HostTensor, positions: ArrayLike<number>): HostTensor {
  const { data } = tensor;
  const out = data.slice(0, 0).constructor as new (length: number) => typeof data;
  const picked = new out(positions.length);
  for (let i = 0; i < positions.length; i++) picked[i] = data[positions[i]];
  return { dtype: tensor.dtype, shape: [positions.length], data: picked } as HostTensor;
}

function positionsOf({ name, shape, samples, sampledAs }: ExpectedTensor): Uint32Array | undefined {
  return samples === undefined ? undefined : samplePositions(sampledAs ?? name, elementsOf(shape), samples);
}

function fits({ id, level }: CaseSummary, { levels, patterns }: CaseFilter): boolean {
  if (levels && !levels.includes(level)) return false;
  if (!patterns) return true;
  return patterns.some((pattern) => matchesGlob(pattern, id, "/") || id.startsWith(`${pattern}/`));
}

function findCase(index: KitIndex, id: string): CaseSummary {
  const found = index.cases.find((line) => line.id === id);
  if (found) return found;
  const near = index.cases.filter((line) => line.id.startsWith(id.split("/").slice(0, 2).join("/")));
  const some = (near.length > 0 ? near : index.cases).slice(0, 3).map((line) => line.id);
  return fail("argument", "conformance kit", "the id of a case", JSON.stringify(id), `as ${some.join(", ")}`);
}

function readCase(folder: string, summary: CaseSummary, shared: ReadonlyMap<string, SharedFile>): LoadedCase {
  const caseFolder = join(folder, "cases", ...summary.id.split("/"));
  const path = join(caseFolder, "case.json");
  const stored = checkCase(parseJson(verified(path, summary.sha256), path), path);
  if (stored.id !== summary.id) fail("format", `${path}: id`, summary.id, stored.id);
  const files = new CaseFiles(folder, caseFolder, stored, shared);
  const { parameters, entries } = expandParameters(stored, files);
  const manifest: CaseManifest = { ...stored, parameters };
  return {
    manifest,
    inputs: givenTensors(manifest.inputs, files, entries, path),
    parameters: givenTensors(parameters, files, entries, path),
    ...expectedTensors(manifest.outputs, files, path),
  };
}

function givenTensors(
  given: readonly GivenTensor[],
  files: SourceFiles,
  entries: ReadonlySet<string>,
  path: string,
): HostTensors {
  const byName = new Map(given.map((tensor) => [tensor.name, tensor]));
  return new LazyTensors(byName.keys(), (name) => {
    const tensor = byName.get(name) as GivenTensor;
    return makeTensor(tensor.source, tensor, files, entries, `${path}, tensor ${JSON.stringify(name)}`);
  });
}

function expectedTensors(
  outputs: readonly ExpectedTensor[],
  files: SourceFiles,
  path: string,
): Pick<LoadedCase, "expected" | "doubles" | "output" | "positions"> {
  const byName = new Map(outputs.map((tensor) => [tensor.name, tensor]));
  const output = (name: string): ExpectedTensor =>
    byName.get(name) ?? fail("argument", path, `one of its ${byName.size} outputs`, JSON.stringify(name));
  const make = (name: string, part: "source" | "double"): HostTensor => {
    const tensor = output(name);
    const spec = {
      dtype: part === "double" ? "F64" : tensor.dtype,
      shape: tensor.samples === undefined ? tensor.shape : [tensor.samples],
    } as const;
    const where = `${path}, output ${JSON.stringify(name)}`;
    return makeTensor(tensor[part] ?? tensor.source, spec, files, new Set(), where);
  };
  const doubled = outputs.filter((tensor) => tensor.double).map((tensor) => tensor.name);
  return {
    expected: new LazyTensors(byName.keys(), (name) => make(name, "source")),
    doubles: new LazyTensors(doubled, (name) => make(name, "double")),
    output,
    positions: (name) => positionsOf(output(name)),
  };
}

/** The parameters one by one, and the names by which the generator tells one kind of layer from another. */
function expandParameters(
  { parameters }: StoredCase,
  files: CaseFiles,
): { parameters: readonly GivenTensor[]; entries: ReadonlySet<string> } {
  if (!isSetUse(parameters)) {
    const entries = parameters.map(({ name, source }) => ("entry" in source ? source.entry : name));
    return { parameters, entries: new Set(entries) };
  }
  const path = files.path(parameters.set, true);
  const set = checkParameterSet(parseJson(files.bytes(parameters.set, true), path), path);
  const stored = files.tensors(set.values, true);
  const { prefixes = [""], strip = "" } = parameters;
  const chosen = set.entries.filter(([entry]) => prefixes.some((prefix) => entry.startsWith(prefix)));
  return {
    entries: new Set(set.entries.map(([entry]) => entry)),
    parameters: chosen.map(([entry, shape]): GivenTensor => {
      if (!entry.startsWith(strip)) fail("format", path, `entries that begin with ${strip}`, entry);
      const source = stored.has(entry)
        ? { shared: set.values, key: entry }
        : ({ generator: "state", seed: set.seed, entry, attentionGain: set.attentionGain } as const);
      return { name: entry.slice(strip.length), dtype: "F32", shape, source };
    }),
  };
}

function isSetUse(parameters: StoredCase["parameters"]): parameters is ParameterSetUse {
  return !Array.isArray(parameters);
}

/** The files of a case and those that it shares, verified when first used and kept as long as the case is. */
class CaseFiles implements SourceFiles {
  readonly #folder: string;
  readonly #caseFolder: string;
  readonly #case: StoredCase;
  readonly #shared: ReadonlyMap<string, SharedFile>;
  readonly #bytes = new Map<string, Uint8Array>();
  readonly #tensors = new Map<string, SafetensorsFile>();

  /** Reads and verifies the case's own files at once: they are small, and a tampered one should be told of early. */
  constructor(
    folder: string,
    caseFolder: string,
    stored: StoredCase,
    shared: ReadonlyMap<string, SharedFile>,
  ) {
    this.#folder = folder;
    this.#caseFolder = caseFolder;
    this.#case = stored;
    this.#shared = shared;
    for (const file of Object.keys(stored.sha256)) this.bytes(file, false);
  }

  path(path: string, shared: boolean): string {
    return join(shared ? this.#folder : this.#caseFolder, ...path.split("/"));
  }

  bytes(path: string, shared: boolean): Uint8Array {
    const full = this.path(path, shared);
    let bytes = this.#bytes.get(full);
    if (bytes === undefined) {
      const own = this.#case.sha256;
      const hash = shared ? this.#shared.get(path)?.sha256 : Object.hasOwn(own, path) ? own[path] : undefined;
      if (hash === undefined) {
        const list = shared
          ? `${join(this.#folder, "kit.json")}: shared`
          : `${this.path("case.json", false)}: sha256`;
        fail("format", list, `the file ${path}, which ${this.#case.id} uses`, "a list without it");
      }
      bytes = verified(full, hash);
      this.#bytes.set(full, bytes);
    }
    return bytes;
  }

  tensors(path: string, shared: boolean): SafetensorsFile {
    const full = this.path(path, shared);
    let file = this.#tensors.get(full);
    if (file === undefined) {
      file = openSafetensors(this.bytes(path, shared), { name: full });
      this.#tensors.set(full, file);
    }
    return file;
  }
}

function verified(path: string, sha256: string): Uint8Array {
  const bytes = readWhole(path, "is the kit whole?");
  const got = createHash("sha256").update(bytes).digest("hex");
  if (got === sha256) return bytes;
  const mend = "the file was changed, or the kit's index was: check it out again";
  return fail("format", path, `SHA-256 ${sha256}`, got, mend);
}

function readWhole(path: string, mend: string): Uint8Array {
  let file: ReturnType<typeof openFileSource>;
  try {
    file = openFileSource(path);
  } catch (error) {
    return fail("file", path, "a file of the conformance kit", messageOf(error), mend);
  }
  try {
    const bytes = new Uint8Array(file.byteLength);
    file.read(0, bytes);
    return bytes;
  } finally {
    file.close();
  }
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    return fail("format", path, "JSON", messageOf(error), "is the kit whole?");
  }
}
