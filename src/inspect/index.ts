/** `mobiledetr/inspect`: look inside a run: every module's output, and step by step. */
export { type Costs, countCosts } from "./cost.ts";
export { forwardLine } from "./forward-line.ts";
export {
  type Lineage,
  type LineageCall,
  type LineageNode,
  type LineageTensor,
  lineageOf,
  type Window,
} from "./lineage.ts";
export { namedTensors } from "./named-tensors.ts";
export { type Field, receptiveField } from "./receptive-field.ts";
export { sliceTensor } from "./slice.ts";
export { statisticsOf, type TensorStatistics, tensorStatistics } from "./statistics.ts";
export { type Pause, type Phase, Stepper, type Stops } from "./stepper.ts";
export { type Move, type NamedTensor, Step, Steps, type StepsOptions, steps } from "./steps.ts";
export { recordTrace, type TracedTensor, type TraceOptions, type TraceSink, traceModules } from "./trace.ts";
export { type Factor, type Region, type Term, type Why, why } from "./why.ts";
