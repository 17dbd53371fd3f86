/** Subjects with numbers, mistakes in them, and what the diagnosis says of it. */
import { referenceBackend } from "../../../src/backend/reference/reference.ts";
import { buildModule } from "../../../src/conformance/adapters/modules.ts";
import { type DiagnoseOptions, diagnose, type Evidence } from "../../../src/conformance/diagnose/index.ts";
import { type Problem, problemOf, type Whole } from "../../../src/conformance/diagnose/problem.ts";
import type { HostTensor, HostTensors } from "../../../src/conformance/host-tensor.ts";
import type { Json, Subject } from "../../../src/conformance/manifest.ts";
import type { Diagnosis } from "../../../src/conformance/verdict.ts";
import { BELL_STD, bellSums, randomUniform } from "../../../src/weights/generator.ts";
import { seededTensor } from "../../../src/weights/seeded-state.ts";

/** Something to compute, with all that goes in. */
export interface Scene {
  readonly subject: Subject;
  readonly inputs: HostTensors;
  readonly parameters: HostTensors;
}

/** An f32 tensor. */
export function f32(shape: readonly number[], data: ArrayLike<number>): HostTensor {
  return { dtype: "F32", shape, data: Float32Array.from(data) };
}

/** Nearly normal numbers of a stream. */
export function normal(name: string, shape: readonly number[], std = 1, shift = 0): HostTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return f32(
    shape,
    Array.from(bellSums(7, name, count), (bell) => (bell * std) / BELL_STD + shift),
  );
}

/** Uniform numbers of a stream. */
export function uniform(name: string, shape: readonly number[], low = 0, high = 1): HostTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return f32(
    shape,
    Array.from(randomUniform(7, name, count), (u) => low + u * (high - low)),
  );
}

/** An operator with its operands. */
export function operator(
  name: string,
  attributes: { readonly [key: string]: Json },
  inputs: Readonly<Record<string, HostTensor>>,
): Scene {
  return {
    subject: { kind: "operator", name, attributes },
    inputs: new Map(Object.entries(inputs)),
    parameters: new Map(),
  };
}

/** A module with generated parameters. */
export function moduleScene(
  name: string,
  args: { readonly [key: string]: Json },
  inputs: Readonly<Record<string, HostTensor>>,
): Scene {
  const module = buildModule(name, args);
  const slots = [...module.slots()];
  const names = new Set(slots.map((slot) => `m.${slot.name}`)); // the generator wants a path
  const has = (entry: string): boolean => names.has(entry);
  const parameters = new Map(
    slots.map((slot): [string, HostTensor] => {
      const { shape } = slot.tensor;
      return [slot.name, f32(shape, seededTensor(`m.${slot.name}`, shape, { has, seed: 3, attnGain: 1e5 }))];
    }),
  );
  return {
    subject: { kind: "module", name, arguments: args },
    inputs: new Map(Object.entries(inputs)),
    parameters,
  };
}

/** The scene's computation, to be done rightly or wrongly. */
export function problemIn({ subject, inputs, parameters }: Scene, output = 0): Problem {
  const problem = problemOf(subject, inputs, parameters, { name: "output", output }, referenceBackend);
  if (!problem) throw new Error("no problem");
  return problem;
}

/** The right result. */
export function rightIn(scene: Scene): HostTensor {
  const whole = problemIn(scene).run([]);
  if (!whole) throw new Error(`${JSON.stringify(scene.subject)} cannot be computed`);
  return hostOf(whole);
}

/** A whole tensor as a host tensor. */
export function hostOf({ shape, data }: Whole): HostTensor {
  return f32(shape, data);
}

/** What another implementation's rounding does: relative noise of some ulp. */
export function rounded(x: HostTensor, relative = 3e-7): HostTensor {
  const noise = randomUniform(11, "noise", x.data.length);
  return f32(
    x.shape,
    Float32Array.from(x.data as Float32Array, (v, i) => v * (1 + relative * (2 * noise[i] - 1))),
  );
}

/** The evidence that `got` came out of a scene. */
export function evidenceOf(scene: Scene, got: HostTensor, more: Partial<Evidence> = {}): Evidence {
  const expected = more.expected ?? rightIn(scene);
  return {
    ...scene,
    name: "output",
    expected,
    shape: expected.shape,
    got,
    bound: { abs: 1e-5, rel: 2e-6 },
    mode: "forced",
    ...more,
  };
}

/** What is said of a wrong result of a scene, with another implementation's rounding. */
export function diagnosed(
  scene: Scene,
  wrong: HostTensor,
  more: Partial<Evidence> = {},
  options: DiagnoseOptions = {},
): Diagnosis[] {
  return diagnose(evidenceOf(scene, rounded(wrong), more), options);
}

/** Names of the mistakes, the likeliest first. */
export function names(diagnoses: readonly Diagnosis[]): string[] {
  return diagnoses.map(({ mistake }) => mistake);
}
