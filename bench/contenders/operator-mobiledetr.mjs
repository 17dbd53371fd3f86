/**
 * One operator by mobiledetr, as the built package has it. What has weights runs as a plan runs it, with weights packed
 * once, as the peer keeps its own packed, and the activation in the kernel; anything else is the eager operator. Maps lie
 * channels-last. See `serve.mjs`.
 */
import { readFileSync } from "node:fs";
import { withScope } from "../../lib/backend/scope.js";
import { packConv, runConv } from "../../lib/backend/wasm/conv.js";
import { packLinear, runLinear } from "../../lib/backend/wasm/gemm.js";
import { createWasmBackend } from "../../lib/backend/wasm/wasm-backend.js";
import { packWinograd, runWinograd, winogradPays } from "../../lib/backend/wasm/winograd.js";
import * as ops from "../../lib/ops/index.js";
import { Tensor } from "../../lib/tensor/tensor.js";
import { valuesOf } from "./operands.mjs";
import { serve } from "./serve.mjs";

const EAGER = {
  matmulTransposed: (_, a, b) => ops.matmul(a, b.transpose(-2, -1)),
  matmul: (_, a, b) => ops.matmul(a, b),
  softmax: (_, x) => ops.softmax(x, -1),
  relu6: (_, x) => ops.relu6(x),
  sigmoid: (_, x) => ops.sigmoid(x),
  add: (_, a, b) => ops.add(a, b),
  upsample: (_, x) => ops.interpolate(x, { scaleFactor: 2, mode: "nearest" }),
  max: (_, x) => ops.max(x, -1),
  topk: ({ k }, x) => ops.topk(x, k).values,
  gatherRows: (_, x, index) => ops.gather(x, 0, index.unsqueeze(1).expand(-1, x.shape[1])),
  transpose: (_, x) => x.transpose(0, 1).contiguous(),
};

/** The call with its weights packed, and the tensor that it writes. */
function packed(backend, { op, options, activation }, [x, weight, bias]) {
  const { engine } = backend;
  const take = (bytes) => engine.arena.allocate(bytes);
  const [from, w, b] = [x, weight, bias].map((tensor) => engine.view(tensor));
  if (op === "linear") {
    const panels = packLinear(engine, take, w, b);
    const y = Tensor.empty(backend, [...x.shape.slice(0, -1), weight.shape[0]], "f32").keep();
    const to = engine.view(y);
    return { y, run: () => runLinear(engine, from, panels, to, { activation }) };
  }
  const pair = (n) => [n, n];
  const geometry = {
    stride: pair(options.stride),
    padding: pair(options.padding),
    dilation: pair(1),
    groups: options.groups,
  };
  const sides = x.shape.slice(2).map((side) => Math.ceil(side / options.stride));
  const y = Tensor.empty(backend, [1, weight.shape[0], ...sides], "f32", "channels_last").keep();
  const to = engine.view(y);
  if (winogradPays(x.shape, weight.shape, geometry)) {
    const transformed = packWinograd(engine, take, w, b);
    return { y, run: () => runWinograd(engine, from, transformed, to, geometry, { activation }) };
  }
  const panels = packConv(engine, take, w, b, options.groups);
  return { y, run: () => runConv(engine, from, panels, to, geometry, { activation }) };
}

await serve(async ({ operator, threads }) => {
  const backend = createWasmBackend({ threads });
  const values = valuesOf(operator);
  const tensors = operator.operands.map(({ shape, below }, i) => {
    const rows = Tensor.empty(backend, shape, below === undefined ? "f32" : "i32").keep();
    rows.storage.data.set(values[i]);
    return shape.length === 4 && i === 0 ? rows.contiguous("channels_last").keep() : rows;
  });
  const described = {
    name: "mobiledetr",
    version: JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version,
    close: () => backend.close(),
  };
  const eager = EAGER[operator.op];
  if (!eager) {
    const { y, run } = packed(backend, operator, tensors);
    return { ...described, run, output: () => y.toFloat32Array() };
  }
  const call = () => eager(operator, ...tensors);
  const freed = (body) => withScope(body, () => []); // with whatever else the call made
  return { ...described, run: () => freed(call), output: () => freed(() => call().toFloat32Array()) };
});
