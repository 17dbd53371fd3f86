/** A kit of a few cases in memory, for tests of what runs kits: no files, no PyTorch. */

import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import type { CaseFilter, CaseSummary, Kit, LoadedCase } from "../../src/conformance/kit.ts";
import type { CaseManifest, ExpectedTensor, Subject } from "../../src/conformance/manifest.ts";
import { matchesGlob } from "../../src/glob.ts";

/** An f32 tensor. */
export function f32(shape: readonly number[], data: readonly number[]): HostTensor {
  return { dtype: "F32", shape, data: Float32Array.from(data) };
}

/** What a case is made of. */
export interface SmallCase {
  readonly id: string;
  readonly subject: Subject;
  readonly inputs: Readonly<Record<string, HostTensor>>;
  readonly parameters?: Readonly<Record<string, HostTensor>>;
  readonly outputs: Readonly<Record<string, HostTensor>>;
  /** What the expected tensors say beyond name and shape. */
  readonly more?: Readonly<Record<string, Partial<ExpectedTensor>>>;
  readonly rule?: string;
}

const given = (tensors: Readonly<Record<string, HostTensor>>): CaseManifest["inputs"] =>
  Object.entries(tensors).map(([name, { dtype, shape }]) => ({
    name,
    dtype,
    shape,
    source: { file: "", key: name },
  }));

/** A case as the kit gives it. */
export function loadedCase(of: SmallCase): LoadedCase {
  const { id, subject, inputs, parameters = {}, outputs, more = {}, rule = "exact" } = of;
  const expected: ExpectedTensor[] = Object.entries(outputs).map(([name, { dtype, shape }]) => {
    return { name, dtype, shape, source: { file: "", key: name }, rule, required: true, ...more[name] };
  });
  const manifest: CaseManifest = {
    format: 1,
    id,
    level: Number(id[1]) as 0,
    title: id,
    subject,
    inputs: given(inputs),
    parameters: given(parameters),
    outputs: expected,
    oracle: { torch: "", dtypes: ["F32"], command: "" },
    sha256: {},
  };
  return {
    manifest,
    inputs: new Map(Object.entries(inputs)),
    parameters: new Map(Object.entries(parameters)),
    expected: new Map(Object.entries(outputs)),
    doubles: new Map(),
    output: (name) => expected.find((tensor) => tensor.name === name)!,
    positions: () => undefined,
  };
}

/** A kit of these cases. */
export function smallKit(cases: readonly SmallCase[]): Kit {
  const summaries = cases.map(({ id }): CaseSummary => {
    return { id, level: Number(id[1]) as 0, title: id, sha256: "", bytes: 0 };
  });
  return {
    folder: "",
    version: "small",
    torch: "",
    cases: ({ levels, patterns }: CaseFilter = {}) =>
      summaries.filter(
        ({ id, level }) =>
          (!levels || levels.includes(level)) && (!patterns || patterns.some((p) => matchesGlob(p, id, "/"))),
      ),
    read: async (id) => loadedCase(cases.find((of) => of.id === id)!),
  };
}

const X = [-2, -0.5, 0, 0.5, 3, 7];

/** relu of six numbers, twice, and something that no small runtime has. */
export const RELU_CASES: readonly SmallCase[] = [
  {
    id: "L0/relu/row",
    subject: { kind: "operator", name: "relu", attributes: {} },
    inputs: { input: f32([2, 3], X) },
    outputs: {
      output: f32(
        [2, 3],
        X.map((x) => Math.max(x, 0)),
      ),
    },
  },
  {
    id: "L0/relu/column",
    subject: { kind: "operator", name: "relu", attributes: {} },
    inputs: { input: f32([3, 2], X) },
    outputs: {
      output: f32(
        [3, 2],
        X.map((x) => Math.max(x, 0)),
      ),
    },
  },
  {
    id: "L1/Other/one",
    subject: { kind: "module", name: "Other", arguments: {} },
    inputs: { input: f32([6], X) },
    outputs: { output: f32([6], X) },
  },
];
