/**
 * One operator by tfjs-backend-wasm, its SIMD build. One thread: its threads start from a blob: address, which Node's
 * workers do not take, and it leaves them off in Node by itself. Maps lie channels-last, as TensorFlow's do. See `serve.mjs`.
 */
import { setThreadsCount } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { valuesOf } from "./operands.mjs";
import { permuted } from "./permute.mjs";
import { serve } from "./serve.mjs";

const OPERATORS = {
  conv: ({ options: { stride, padding, groups }, activation }, x, filter, bias) =>
    (groups > 1 ? tf.fused.depthwiseConv2d : tf.fused.conv2d)({
      x,
      filter,
      strides: stride,
      pad: padding,
      bias,
      activation,
    }),
  linear: ({ activation }, a, b, bias) => tf.fused.matMul({ a, b, bias, activation }),
  matmulTransposed: (_, a, b) => tf.matMul(a, b, false, true),
  matmul: (_, a, b) => tf.matMul(a, b),
  softmax: (_, x) => tf.softmax(x, -1),
  relu6: (_, x) => tf.relu6(x),
  sigmoid: (_, x) => tf.sigmoid(x),
  add: (_, a, b) => tf.add(a, b),
  upsample: (_, x) => tf.image.resizeNearestNeighbor(x, [x.shape[1] * 2, x.shape[2] * 2]),
  max: (_, x) => tf.max(x, -1),
  topk: ({ k }, x) => tf.topk(x, k).values,
  gatherRows: (_, x, index) => tf.gather(x, index),
  transpose: (_, x) => tf.transpose(x),
};

await serve(async ({ operator, threads }) => {
  setThreadsCount(1);
  if (threads !== 1 || !(await tf.setBackend("wasm")))
    throw new Error("tfjs-backend-wasm runs on one thread in Node");
  const values = valuesOf(operator);
  const isConv = operator.op === "conv";
  const tensors = operator.operands.map(({ shape, below }, i) => {
    const dtype = below === undefined ? "float32" : "int32";
    if (operator.op === "linear" && i === 1) {
      return tf.tensor(permuted(values[i], shape, [1, 0]), [shape[1], shape[0]], dtype); // TensorFlow's own order
    }
    if (shape.length !== 4) return tf.tensor(values[i], shape, dtype);
    // NCHW to NHWC; filters OIHW to HWIO, of a depthwise convolution HWOI.
    const depthwise = isConv && operator.options.groups > 1;
    const order = isConv && i === 1 ? [2, 3, depthwise ? 0 : 1, depthwise ? 1 : 0] : [0, 2, 3, 1];
    const sizes = order.map((axis) => shape[axis]);
    return tf.tensor(permuted(values[i], shape, order), sizes, dtype);
  });
  const call = () => tf.tidy(() => OPERATORS[operator.op](operator, ...tensors));
  return {
    name: "tfjs-backend-wasm",
    version: tf.version_core,
    run: () => call().dispose(),
    output: () => {
      const y = call();
      const out = y.dataSync();
      return y.shape.length === 4 ? permuted(out, y.shape, [0, 3, 1, 2]) : out;
    },
    close: () => {},
  };
});
