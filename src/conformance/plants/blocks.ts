/** Mistakes in blocks and networks: residuals, attention, positions, wiring. */
import type { Pair } from "../../backend/backend.ts";
import * as models from "../../models/index.ts";
import { Concat } from "../../models/index.ts";
import { MultiheadAttention, Parameter } from "../../nn/index.ts";
import { add, cat, deformableAttention, div, matmul, mul, softmax } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Plant, setForward, withModules } from "./tools.ts";

/** Multi-query attention with query or value tokens taken by pixel, as a textbook has it. */
function byPixel(self: models.MultiQueryAttention, query: boolean, value: boolean): (x: Tensor) => Tensor {
  return (x) => {
    const [n, , height, width] = x.dims4("attention");
    const { heads, dim } = self;
    const q0 = self._query_proj.call(x).contiguous();
    const v0 = self._value_proj.call(self._value_dw_conv?.call(x) ?? x).contiguous();
    const q = query ? q0.viewAs(n, heads, dim, -1).transpose(2, 3) : q0.viewAs(n, heads, -1, dim);
    const k = self._key_proj.call(self._key_dw_conv?.call(x) ?? x).reshape(n, 1, dim, -1);
    const v = value ? v0.reshape(n, 1, dim, -1).transpose(2, 3) : v0.viewAs(n, 1, -1, dim);
    const mixed = matmul(softmax(div(matmul(q, k), Math.sqrt(self.scaleDim)), -1), v);
    const laid = query ? mixed.transpose(2, 3) : mixed;
    return self._output_proj.call(laid.reshape(n, heads * dim, height, width));
  };
}

/** See `plants/index.ts`. */
export const BLOCK_PLANTS: readonly Plant[] = [
  {
    name: "uib-residual",
    title: "inverted bottlenecks with a residual connection",
    mistakes: ["uib-residual"],
    cases: ["L1/UIB/same-shape", "L1/UIB/k3-k3-s1", "L2/MobileNetV4ConvSmall/layer3"],
    open: withModules((module) => {
      if (!(module instanceof models.UIB)) return;
      const forward = module.forward.bind(module);
      setForward(module, ((x: Tensor) => {
        const y = forward(x);
        return y.shape.join() === x.shape.join() ? add(y, x) : y;
      }) as never);
    }),
  },
  {
    name: "mqa-transposed-query",
    title: "multi-query attention whose query tokens are pixels",
    mistakes: ["mqa-views"],
    cases: ["L1/MultiQueryAttention/layer4", "L1/AttentionBlock/layer4"],
    open: withModules((module) => {
      if (module instanceof models.MultiQueryAttention) {
        setForward(module, byPixel(module, true, false) as never);
      }
    }),
  },
  {
    name: "mqa-transposed-both",
    title: "multi-query attention whose query and value tokens are pixels",
    mistakes: ["mqa-views"],
    cases: ["L1/MultiQueryAttention/layer3", "L1/MultiQueryAttention/layer4-large"],
    open: withModules((module) => {
      if (module instanceof models.MultiQueryAttention)
        setForward(module, byPixel(module, true, true) as never);
    }),
  },
  {
    name: "mqa-scale",
    title: "multi-query attention scaled by the whole width of a key",
    mistakes: ["mqa-scale"],
    cases: ["L1/MultiQueryAttention/*", "L1/AttentionBlock/layer4"],
    open: withModules((module) => {
      if (module instanceof models.MultiQueryAttention) {
        Object.defineProperty(module, "scaleDim", { value: module.dim });
      }
    }),
  },
  {
    name: "attention-scale",
    title: "multi-head attention scaled by the whole width, not a head's",
    mistakes: ["attention-scale"],
    cases: ["L1/MultiheadAttention/self", "L1/AIFI/square"],
    open: withModules((module) => {
      if (!(module instanceof MultiheadAttention)) return;
      const forward = module.forward.bind(module);
      const factor = Math.sqrt(1 / module.numHeads);
      const { in_proj_weight: weight, in_proj_bias: bias } = module;
      // The query's third of the projection carries the factor: the same numbers as another scale.
      const scaled = (x: Parameter | undefined): Parameter | undefined => {
        if (!x || x.isMeta) return x;
        const [q, k, v] = x.chunk(3);
        const y = cat([mul(q, factor), k, v], 0).keep();
        return new Parameter(y.storage, y.shape, y.strides, y.offset);
      };
      setForward(module, ((...inputs: Parameters<typeof forward>) => {
        const fields = module as unknown as Record<string, Parameter | undefined>;
        fields.in_proj_weight = scaled(weight);
        fields.in_proj_bias = scaled(bias);
        try {
          return forward(...inputs);
        } finally {
          fields.in_proj_weight = weight;
          fields.in_proj_bias = bias;
        }
      }) as never);
    }),
  },
  {
    name: "layer-scale",
    title: "attention blocks without their constant 1e-5",
    mistakes: ["layer-scale"],
    cases: ["L1/AttentionBlock/*"],
    open: withModules((module) => {
      if (!(module instanceof models.AttentionBlock)) return;
      setForward(module, ((x: Tensor) =>
        add(module.multi_query_attention.call(module._input_norm.call(x)), x)) as never);
    }),
  },
  {
    name: "position-table",
    title: "AIFI's positions in the order of its tokens",
    mistakes: ["position-table"],
    cases: ["L1/AIFI/*"],
    open: withModules((module) => {
      if (!(module instanceof models.AIFI)) return;
      const positions = (h: number, w: number, c: number): Tensor =>
        models
          .sincosPositions(w, h, c)
          .reshape(w, h, c)
          .transpose(0, 1)
          .reshape(w * h, c);
      Object.defineProperty(module, "positions", { value: positions });
    }),
  },
  {
    name: "rep-conv-branch",
    title: "RepConv without its 1x1 branch",
    mistakes: ["rep-conv"],
    cases: ["L1/RepConv/*", "L1/RepC3/half"],
    open: withModules((module) => {
      if (!(module instanceof models.RepConv)) return;
      setForward(module, ((x: Tensor) => module.act.call(module.conv1?.call(x) ?? x)) as never);
    }),
  },
  {
    name: "concat-order",
    title: "maps concatenated the other way round",
    mistakes: ["concat-order"],
    cases: ["L1/Concat/*"],
    open: withModules((module) => {
      if (!(module instanceof Concat)) return;
      setForward(module, ((xs: readonly Tensor[]) => cat([...xs].reverse(), module.d)) as never);
    }),
  },
  {
    name: "sampling-offset-scale",
    title: "deformable attention whose offsets are not halved",
    mistakes: ["sampling-offset-scale"],
    cases: ["L1/MSDeformAttn/*"],
    open: withModules((module) => {
      if (!(module instanceof models.MSDeformAttn)) return;
      const { n_heads: h, n_levels: l, n_points: p } = module;
      setForward(module, ((query: Tensor, box: Tensor, memory: Tensor, shapes: readonly Pair[]) => {
        const [n, q, d] = query.dims3("MSDeformAttn");
        const value = module.value_proj.call(memory).viewAs(n, -1, h, d / h);
        const offsets = module.sampling_offsets.call(query).viewAs(n, q, h, l, p, 2);
        const logits = module.attention_weights.call(query).viewAs(n, q, h, l * p);
        const weights = softmax(logits, -1).viewAs(n, q, h, l, p);
        const [centre, size] = box.reshape(n, q, 1, 1, 1, 4).split(2, -1);
        const locations = add(centre, mul(div(offsets, p), size));
        return module.output_proj.call(deformableAttention(value, shapes, locations, weights));
      }) as never);
    }),
  },
];
