/**
 * Checks what `kit.json`, `case.json` and parameter sets say, and turns them into their types. Hand-written, so that the
 * package needs no schema validator; `conformance/schema/` says the same for other languages, and a test holds the two
 * together. Every refusal names the file, the place in it, what was expected and what stands there. Reads no file.
 */
import { fail } from "../errors.ts";
import type { HostDtype } from "./host-tensor.ts";
import { list, matching, real, record, refuse, shape, show, text, whole } from "./json-check.ts";
import type {
  CaseManifest,
  ExpectedTensor,
  GivenTensor,
  Json,
  Level,
  ModelSubject,
  Source,
  Subject,
} from "./manifest.ts";
import { KIT_FORMAT } from "./manifest.ts";

const DTYPES: readonly HostDtype[] = ["F32", "F64", "F16", "I32", "I64", "U8", "BOOL"];
const SHA256 = /^[0-9a-f]{64}$/;
const CASE_ID = /^L[0-5](\/[A-Za-z0-9][A-Za-z0-9._-]*)+$/;
/** A path below a folder: no empty, "." or ".." parts, no backslash, no colon. */
const INNER_PATH = /^(?!\.{1,2}(\/|$))[^/\\:]+(\/(?!\.{1,2}(\/|$))[^/\\:]+)*$/;
/** The same, from the kit's folder; "../" once in front is the repository. */
const SHARED_PATH = /^(\.\.\/)?(?!\.{1,2}(\/|$))[^/\\:]+(\/(?!\.{1,2}(\/|$))[^/\\:]+)*$/;

/** A file that cases share. */
export interface SharedFile {
  /** From the kit's folder. */
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** A line of `kit.json`. */
export interface CaseSummary {
  /** "L0/conv2d/stride-2-odd". */
  readonly id: string;
  readonly level: Level;
  readonly title: string;
  /** Of `case.json`, hexadecimal. */
  readonly sha256: string;
  /** Of all files of the case's folder. */
  readonly bytes: number;
}

/** `kit.json`. */
export interface KitIndex {
  readonly format: number;
  readonly version: string;
  readonly torch: string;
  readonly cases: readonly CaseSummary[];
  readonly shared: readonly SharedFile[];
}

/** In `case.json` parameters may be a part of a set instead of a list. */
export interface ParameterSetUse {
  /** From the kit's folder: "parameters/MobileNetV4ConvSmall.json". */
  readonly set: string;
  /** Entries that begin with one of these; all where absent. */
  readonly prefixes?: readonly string[];
  /** Taken off the front of names: a stand-alone backbone's lack "model.0.". */
  readonly strip?: string;
}

/** `case.json` as it is stored. */
export type StoredCase = Omit<CaseManifest, "parameters"> & {
  readonly parameters: readonly GivenTensor[] | ParameterSetUse;
};

/** The entries of a whole model's state dict, and where their numbers come from. */
export interface ParameterSet {
  readonly format: number;
  /** Of the generator, for entries that no file holds. */
  readonly seed: number;
  readonly attentionGain: number;
  /** A safetensors file, from the kit's folder, whose tensors take the place of generated ones: BatchNorm's statistics. */
  readonly values: string;
  readonly entries: readonly (readonly [name: string, shape: readonly number[]])[];
}

/** Checks `kit.json`; `name` is the file, for messages. Throws `format`. */
export function checkKitIndex(value: unknown, name: string): KitIndex {
  const kit = record(value, name, ["format", "version", "torch", "cases", "shared"]);
  checkFormat(kit.format, `${name}: format`);
  const seen = new Set<string>();
  const cases = list(kit.cases, `${name}: cases`).map((item, i): CaseSummary => {
    const at = `${name}: cases[${i}]`;
    const line = record(item, at, ["id", "level", "title", "sha256", "bytes"]);
    const id = matching(line.id, `${at}.id`, CASE_ID, "a case's id, as L0/conv2d/stride-2");
    if (seen.has(id)) refuse(`${at}.id`, "ids that differ", `${id} twice`);
    seen.add(id);
    return {
      id,
      level: checkLevel(line.level, `${at}.level`),
      title: text(line.title, `${at}.title`),
      sha256: matching(line.sha256, `${at}.sha256`, SHA256, "64 hexadecimal digits"),
      bytes: whole(line.bytes, `${at}.bytes`),
    };
  });
  const shared = list(kit.shared, `${name}: shared`).map((item, i): SharedFile => {
    const at = `${name}: shared[${i}]`;
    const line = record(item, at, ["path", "sha256", "bytes"]);
    return {
      path: matching(line.path, `${at}.path`, SHARED_PATH, "a path from the kit's folder"),
      sha256: matching(line.sha256, `${at}.sha256`, SHA256, "64 hexadecimal digits"),
      bytes: whole(line.bytes, `${at}.bytes`),
    };
  });
  return {
    format: KIT_FORMAT,
    version: text(kit.version, `${name}: version`),
    torch: text(kit.torch, `${name}: torch`),
    cases,
    shared,
  };
}

/** Checks `case.json`. Throws `format`. */
export function checkCase(value: unknown, name: string): StoredCase {
  const top = record(
    value,
    name,
    ["format", "id", "level", "title", "subject", "inputs", "parameters", "outputs", "oracle", "sha256"],
    ["$schema"],
  );
  checkFormat(top.format, `${name}: format`);
  const given = (item: unknown, at: string): GivenTensor => checkGiven(item, at);
  const inputs = list(top.inputs, `${name}: inputs`).map((item, i) => given(item, `${name}: inputs[${i}]`));
  const parameters = Array.isArray(top.parameters)
    ? top.parameters.map((item, i) => given(item, `${name}: parameters[${i}]`))
    : checkSetUse(top.parameters, `${name}: parameters`);
  const outputs = list(top.outputs, `${name}: outputs`).map((item, i) =>
    checkExpected(item, `${name}: outputs[${i}]`),
  );
  unique(inputs, `${name}: inputs`);
  if (Array.isArray(parameters)) unique(parameters as GivenTensor[], `${name}: parameters`);
  unique(outputs, `${name}: outputs`);
  if (!outputs.some((output) => output.required)) refuse(`${name}: outputs`, "one that is required", "none");
  const oracle = record(top.oracle, `${name}: oracle`, ["torch", "dtypes", "command"]);
  const sha256 = record(top.sha256, `${name}: sha256`, [], "any");
  for (const [file, hash] of Object.entries(sha256)) {
    matching(file, `${name}: sha256, a file's name`, INNER_PATH, "a path within the case's folder");
    matching(hash, `${name}: sha256[${JSON.stringify(file)}]`, SHA256, "64 hexadecimal digits");
  }
  return {
    format: KIT_FORMAT,
    id: matching(top.id, `${name}: id`, CASE_ID, "a case's id, as L0/conv2d/stride-2"),
    level: checkLevel(top.level, `${name}: level`),
    title: text(top.title, `${name}: title`),
    subject: checkSubject(top.subject, `${name}: subject`),
    inputs,
    parameters,
    outputs,
    oracle: {
      torch: text(oracle.torch, `${name}: oracle.torch`),
      dtypes: list(oracle.dtypes, `${name}: oracle.dtypes`).map((d) => dtype(d, `${name}: oracle.dtypes`)),
      command: text(oracle.command, `${name}: oracle.command`),
    },
    sha256: sha256 as Record<string, string>,
  };
}

/** Checks a parameter set. Throws `format`. */
export function checkParameterSet(value: unknown, name: string): ParameterSet {
  const top = record(value, name, ["format", "seed", "attentionGain", "values", "entries"]);
  checkFormat(top.format, `${name}: format`);
  const entries = list(top.entries, `${name}: entries`).map((item, i): [string, number[]] => {
    const at = `${name}: entries[${i}]`;
    const pair = list(item, at);
    if (pair.length !== 2) refuse(at, "[name, shape]", show(item));
    return [text(pair[0], `${at}[0]`), shape(pair[1], `${at}[1]`)];
  });
  return {
    format: KIT_FORMAT,
    seed: whole(top.seed, `${name}: seed`),
    attentionGain: real(top.attentionGain, `${name}: attentionGain`),
    values: matching(top.values, `${name}: values`, SHARED_PATH, "a path from the kit's folder"),
    entries,
  };
}

function checkSetUse(value: unknown, at: string): ParameterSetUse {
  const use = record(value, at, ["set"], ["prefixes", "strip"]);
  return {
    set: matching(use.set, `${at}.set`, SHARED_PATH, "a path from the kit's folder"),
    ...(use.prefixes !== undefined && {
      prefixes: list(use.prefixes, `${at}.prefixes`).map((p) => text(p, `${at}.prefixes`)),
    }),
    ...(use.strip !== undefined && { strip: text(use.strip, `${at}.strip`) }),
  };
}

function checkGiven(value: unknown, at: string): GivenTensor {
  const tensor = record(value, at, ["name", "dtype", "shape", "source"]);
  return {
    name: text(tensor.name, `${at}.name`),
    dtype: dtype(tensor.dtype, `${at}.dtype`),
    shape: shape(tensor.shape, `${at}.shape`),
    source: checkSource(tensor.source, `${at}.source`),
  };
}

function checkExpected(value: unknown, at: string): ExpectedTensor {
  const tensor = record(
    value,
    at,
    ["name", "dtype", "shape", "source", "rule", "required"],
    ["double", "samples", "sampledAs", "noise", "statistics", "conditioning", "maker"],
  );
  const source = checkSource(tensor.source, `${at}.source`);
  if (!("file" in source)) refuse(`${at}.source`, "a file of the case", show(tensor.source));
  if (typeof tensor.required !== "boolean") refuse(`${at}.required`, "true or false", show(tensor.required));
  const statistics = tensor.statistics;
  const maker =
    tensor.maker === undefined ? undefined : record(tensor.maker, `${at}.maker`, ["kind", "inputs"]);
  return {
    name: text(tensor.name, `${at}.name`),
    dtype: dtype(tensor.dtype, `${at}.dtype`),
    shape: shape(tensor.shape, `${at}.shape`),
    source,
    ...(tensor.double !== undefined && { double: checkSource(tensor.double, `${at}.double`) }),
    ...(tensor.samples !== undefined && { samples: whole(tensor.samples, `${at}.samples`, 1) }),
    ...(tensor.sampledAs !== undefined && { sampledAs: text(tensor.sampledAs, `${at}.sampledAs`) }),
    ...(tensor.noise !== undefined && { noise: real(tensor.noise, `${at}.noise`) }),
    ...(statistics !== undefined && {
      statistics: list(statistics, `${at}.statistics`).map((s) => real(s, `${at}.statistics`)),
    }),
    rule: text(tensor.rule, `${at}.rule`),
    required: tensor.required,
    ...(tensor.conditioning !== undefined && {
      conditioning: text(tensor.conditioning, `${at}.conditioning`),
    }),
    ...(maker && {
      maker: {
        kind: text(maker.kind, `${at}.maker.kind`),
        inputs: list(maker.inputs, `${at}.maker.inputs`).map((n) => text(n, `${at}.maker.inputs`)),
      },
    }),
  };
}

function checkSource(value: unknown, at: string): Source {
  const source = record(value, at, [], "any");
  const kinds = ["file", "shared", "bytes", "sharedBytes", "generator"].filter((kind) => kind in source);
  if (kinds.length !== 1) refuse(at, "one of file, shared, bytes, sharedBytes, generator", show(value));
  const inner = (key: string): string =>
    matching(source[key], `${at}.${key}`, INNER_PATH, "a path within the case's folder");
  const shared = (key: string): string =>
    matching(source[key], `${at}.${key}`, SHARED_PATH, "a path from the kit's folder");
  switch (kinds[0]) {
    case "file":
      record(value, at, ["file", "key"], ["row"]);
      return {
        file: inner("file"),
        key: text(source.key, `${at}.key`),
        ...(source.row !== undefined && { row: whole(source.row, `${at}.row`) }),
      };
    case "shared":
      record(value, at, ["shared", "key"]);
      return { shared: shared("shared"), key: text(source.key, `${at}.key`) };
    case "bytes":
      record(value, at, ["bytes"]);
      return { bytes: inner("bytes") };
    case "sharedBytes":
      record(value, at, ["sharedBytes"]);
      return { sharedBytes: shared("sharedBytes") };
    default:
      return checkGenerator(source, at);
  }
}

function checkGenerator(source: Readonly<Record<string, unknown>>, at: string): Source {
  const seed = whole(source.seed, `${at}.seed`);
  const number = (key: string): number => real(source[key], `${at}.${key}`);
  const stream = (): string => text(source.stream, `${at}.stream`);
  switch (source.generator) {
    case "image":
      record(source, at, ["generator", "seed"]);
      return { generator: "image", seed };
    case "state":
      record(source, at, ["generator", "seed", "entry"], ["attentionGain"]);
      return {
        generator: "state",
        seed,
        entry: text(source.entry, `${at}.entry`),
        ...(source.attentionGain !== undefined && { attentionGain: number("attentionGain") }),
      };
    case "uniform":
      record(source, at, ["generator", "seed", "stream", "low", "high"]);
      return { generator: "uniform", seed, stream: stream(), low: number("low"), high: number("high") };
    case "normal":
      record(source, at, ["generator", "seed", "stream", "std", "shift"]);
      return { generator: "normal", seed, stream: stream(), std: number("std"), shift: number("shift") };
    case "integers":
      record(source, at, ["generator", "seed", "stream", "below"]);
      return { generator: "integers", seed, stream: stream(), below: whole(source.below, `${at}.below`, 1) };
    default:
      return refuse(`${at}.generator`, "image, state, uniform, normal or integers", show(source.generator));
  }
}

function checkSubject(value: unknown, at: string): Subject {
  const subject = record(value, at, ["kind"], "any");
  const model = (): ModelSubject => checkModel(subject.model, `${at}.model`);
  const pair = (key: string): [number, number] => {
    const sides = shape(subject[key], `${at}.${key}`);
    if (sides.length !== 2) refuse(`${at}.${key}`, "[height, width]", show(subject[key]));
    return [sides[0], sides[1]];
  };
  switch (subject.kind) {
    case "operator":
      record(value, at, ["kind", "name", "attributes"]);
      return {
        kind: "operator",
        name: text(subject.name, `${at}.name`),
        attributes: record(subject.attributes, `${at}.attributes`, [], "any") as Record<string, Json>,
      };
    case "module":
      record(value, at, ["kind", "name", "arguments"]);
      return {
        kind: "module",
        name: text(subject.name, `${at}.name`),
        arguments: record(subject.arguments, `${at}.arguments`, [], "any") as Record<string, Json>,
      };
    case "stage":
      record(value, at, ["kind", "model", "first", "last"]);
      return {
        kind: "stage",
        model: model(),
        first: text(subject.first, `${at}.first`),
        last: text(subject.last, `${at}.last`),
      };
    case "model":
      record(value, at, ["kind", "model"]);
      return { kind: "model", model: model() };
    case "preprocess":
      record(value, at, ["kind", "size"]);
      return { kind: "preprocess", size: pair("size") };
    case "postprocess":
      record(value, at, ["kind", "conf", "picture"]);
      return { kind: "postprocess", conf: real(subject.conf, `${at}.conf`), picture: pair("picture") };
    case "detect":
      record(value, at, ["kind", "model", "conf"], ["size"]);
      return {
        kind: "detect",
        model: model(),
        conf: real(subject.conf, `${at}.conf`),
        ...(subject.size !== undefined && { size: pair("size") }),
      };
    default:
      return refuse(
        `${at}.kind`,
        "operator, module, stage, model, preprocess, postprocess or detect",
        show(subject.kind),
      );
  }
}

function checkModel(value: unknown, at: string): ModelSubject {
  const model = record(value, at, [], ["variant", "yaml", "nc"]);
  if (model.variant === undefined && model.yaml === undefined) refuse(at, "a variant or a yaml", show(value));
  return {
    ...(model.variant !== undefined && { variant: text(model.variant, `${at}.variant`) }),
    ...(model.yaml !== undefined && { yaml: text(model.yaml, `${at}.yaml`) }),
    ...(model.nc !== undefined && { nc: whole(model.nc, `${at}.nc`, 1) }),
  };
}

function checkFormat(value: unknown, at: string): void {
  if (value !== KIT_FORMAT) {
    fail("format", at, `${KIT_FORMAT}, which this version reads`, show(value), "use the matching version");
  }
}

function checkLevel(value: unknown, at: string): Level {
  const level = ([0, 1, 2, 3, 4, 5] as const).find((known) => known === value);
  return level ?? refuse(at, "a level, 0 .. 5", show(value));
}

function unique(tensors: readonly { readonly name: string }[], at: string): void {
  const names = new Set<string>();
  for (const { name } of tensors) {
    if (names.has(name)) refuse(at, "names that differ", `${JSON.stringify(name)} twice`);
    names.add(name);
  }
}

function dtype(value: unknown, at: string): HostDtype {
  return DTYPES.find((known) => known === value) ?? refuse(at, `one of ${DTYPES.join(", ")}`, show(value));
}
