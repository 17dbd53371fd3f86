/** The YAML parser; the only file that imports it. The build bundles it in place, so that nothing is left to install. */
export { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
