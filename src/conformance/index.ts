/** `mobiledetr/conformance`: the kit, running it on any implementation, the verdict with its diagnosis, and reports. */

export { openFolderRuntime } from "./adapters/folder-runtime.ts";
export { openLinesRuntime } from "./adapters/jsonl-runtime.ts";
export { OUR_PATHS, type OurOptions, type OurPath, openOurRuntime } from "./adapters/ours.ts";
export { boundOf, type CompareContext, compareTensors, positionsOf, rankedBy } from "./compare.ts";
export { type DiagnoseOptions, diagnose, type Evidence } from "./diagnose/index.ts";
export { type ExpectedFailure, readExpectedFailures } from "./expected-failures.ts";
export type { HostArrays, HostDtype, HostTensor, HostTensors } from "./host-tensor.ts";
export { type CaseFilter, type CaseSummary, type Kit, type LoadedCase, openKit } from "./kit.ts";
export type {
  CaseManifest,
  ExpectedTensor,
  GivenTensor,
  Json,
  Level,
  ModelSubject,
  Source,
  Subject,
} from "./manifest.ts";
export { matchRows, type RowMatch } from "./match-rows.ts";
export { type Bound, type MeasureOptions, measure, ulpDistance } from "./metrics.ts";
export { reportHtml } from "./report/html.ts";
export { parseJsonReport, reportJson } from "./report/json.ts";
export { reportJunit } from "./report/junit.ts";
export { reportText, type TextOptions } from "./report/text.ts";
export type { RunRequest, RunResponse, Runtime } from "./runtime.ts";
export { samplePositions } from "./samples.ts";
export { isClean, runCase, runSession, type SessionOptions } from "./session.ts";
export {
  illConditioned,
  queryOrder,
  type Ranked,
} from "./sets.ts";
export {
  boundFor,
  type Comparison,
  type GoldenFacts,
  RULES,
  type Rule,
  ruleFor,
  ruleNamed,
} from "./tolerances.ts";
export type { CaseVerdict, Diagnosis, Metrics, Mode, RunVerdict, TensorVerdict } from "./verdict.ts";
