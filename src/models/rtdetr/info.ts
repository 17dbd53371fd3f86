/** What a detector is made of, as Ultralytics prints it: the table of layers, parameters, multiply-adds. */
import type { Pair } from "../../backend/backend.ts";
import { metaBackend } from "../../backend/meta.ts";
import type { AnyModule } from "../../nn/index.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { PrintedArgument } from "./layers.ts";
import { RTDETRDetectionModel } from "./model.ts";

/** One row of the table. */
export interface LayerInfo {
  /** Number in the YAML; 0 is the backbone, 1 .. 4 its maps. */
  readonly index: number;
  /** As written in the YAML. */
  readonly from: number | readonly number[];
  /** Repeats as written, before scaling. */
  readonly n: number;
  /** Numbers in its parameters; buffers do not count. */
  readonly params: number;
  readonly module: string;
  /** As Ultralytics prints them: after scaling, with the input channels. */
  readonly arguments: readonly PrintedArgument[];
  /** 2 x multiply-adds at the size asked for, in 1e9. */
  readonly gflops: number;
}

/** A whole model. */
export interface ModelInfo {
  /** The backbone, then the lines of `head`. */
  readonly rows: readonly LayerInfo[];
  /** Number of modules, containers included. */
  readonly layers: number;
  /** Numbers in all parameters; buffers do not count. */
  readonly parameters: number;
  /** Parameters that training would change: none, evaluation only. */
  readonly gradients: number;
  /** 2 x multiply-adds of convolutions, linear layers, attention products and sampling, in 1e9. */
  readonly gflops: number;
  /** (height, width) that the GFLOPs are for. */
  readonly size: Pair;
}

/** Number of parameters below a module; buffers do not count. */
export function parameterCount(module: AnyModule): number {
  let count = 0;
  for (const [, parameter] of module.namedParameters()) count += parameter.size;
  return count;
}

/**
 * Counts layers, parameters and GFLOPs of a model, loaded or not, for one image of `size` (height, width). Throws (code
 * "size") where the network cannot take it.
 */
export function modelInfo(model: RTDETRDetectionModel, size: Pair = [640, 640]): ModelInfo {
  model.checkInputSize(size);
  const flops = countMultiplyAdds(model, size);
  const rows = model.layers.map(({ module, number, from, repeats, type, args }, i): LayerInfo => {
    const gflops = (2 * flops[i]) / 1e9;
    return {
      index: number,
      from,
      n: repeats,
      params: parameterCount(module),
      module: type,
      arguments: args,
      gflops,
    };
  });
  return {
    rows,
    layers: [...model.namedModules()].length,
    parameters: parameterCount(model as unknown as AnyModule),
    gradients: 0,
    gflops: rows.reduce((sum, row) => sum + row.gflops, 0),
    size,
  };
}

/** Multiply-adds of each top layer, by a run of a twin on shapes alone. */
function countMultiplyAdds(model: RTDETRDetectionModel, [height, width]: Pair): number[] {
  const twin = new RTDETRDetectionModel(model.config);
  if (model.isFused) twin.fuse();
  const counts = twin.layers.map(() => 0);
  twin.layers.forEach(({ module }, i) => {
    let before = 0;
    module.registerForwardPreHook(() => {
      before = metaBackend.multiplyAdds;
    });
    module.registerForwardHook(() => {
      counts[i] = metaBackend.multiplyAdds - before;
    });
  });
  twin.call(Tensor.empty(metaBackend, [1, 3, height, width]));
  return counts;
}

/** The table and the summary line as text. */
export function formatModelInfo(info: ModelInfo, name: string): string {
  const lines = [
    `${"".padStart(3)}${"from".padStart(20)}${"n".padStart(3)}${"params".padStart(10)}  ${"module".padEnd(45)}${"arguments".padEnd(30)}`,
  ];
  for (const row of info.rows) {
    const from = typeof row.from === "number" ? String(row.from) : `[${row.from.join(", ")}]`;
    lines.push(
      `${String(row.index).padStart(3)}${from.padStart(20)}${String(row.n).padStart(3)}${String(row.params).padStart(10)}` +
        `  ${row.module.padEnd(45)}${pythonList(row.arguments).padEnd(30)}`,
    );
  }
  lines.push(
    `${name} summary: ${info.layers} layers, ${info.parameters} parameters, ${info.gradients} gradients, ` +
      `${info.gflops.toFixed(3)} GFLOPs at ${info.size[0]}x${info.size[1]}`,
  );
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** A list as Python prints it. */
function pythonList(values: readonly PrintedArgument[]): string {
  const write = (value: PrintedArgument): string => {
    if (typeof value === "object" && value !== null) return pythonList(value);
    if (value === null) return "None";
    if (typeof value === "boolean") return value ? "True" : "False";
    return typeof value === "string" ? `'${value}'` : String(value);
  };
  return `[${values.map(write).join(", ")}]`;
}
