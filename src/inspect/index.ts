/** `mobiledetr/inspect`: look at every module's output. */
export { recordTrace, type TracedTensor, type TraceSink, traceModules } from "./trace.ts";
