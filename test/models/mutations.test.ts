/**
 * Wrong readings of the system, each planted on purpose: the goldens must reject every one of them. The list is that of
 * `test/golden/make/mutations.py`, which shows what each does in PyTorch.
 */
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { AttentionBlock, MultiQueryAttention } from "../../src/models/mobilenetv4/attention.ts";
import { UIB } from "../../src/models/mobilenetv4/blocks.ts";
import { AIFI, sincosPositions } from "../../src/models/rtdetr/aifi.ts";
import * as anchors from "../../src/models/rtdetr/anchors.ts";
import type { RTDETRDetectionModel } from "../../src/models/rtdetr/model.ts";
import { BatchNorm2d, ReLU, ReLU6, Sequential } from "../../src/nn/index.ts";
import * as ops from "../../src/ops/index.ts";
import { full, tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { loadModelGolden, type ModelCase } from "../golden/golden.ts";
import { loadCase, pictureFor, runCase } from "./support.ts";

// Spies can replace what these modules export only where the exports are plain properties.
vi.mock("../../src/ops/index.ts", async (original) => ({ ...(await original<typeof ops>()) }));
vi.mock("../../src/models/rtdetr/anchors.ts", async (original) => ({
  ...(await original<typeof anchors>()),
}));
const actual = await vi.importActual<typeof ops>("../../src/ops/index.ts");
const actualAnchors = await vi.importActual<typeof anchors>("../../src/models/rtdetr/anchors.ts");

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());
afterEach(() => void vi.restoreAllMocks());

const CONV: ModelCase = { model: "MobileNetV4ConvSmall", kind: "detector", height: 320, width: 320 };
const CONV_640: ModelCase = { ...CONV, height: 640, width: 640 };
const HYBRID: ModelCase = { ...CONV, model: "MobileNetV4HybridMedium" };

/** The first module that departs, or where the run itself fails to match (another choice of queries). */
function firstDeparture(of: ModelCase, plant: (model: RTDETRDetectionModel) => void): string {
  const golden = loadModelGolden(of);
  const model = loadCase(of, wasm) as RTDETRDetectionModel;
  const picture = pictureFor(of, golden, wasm);
  plant(model);
  try {
    // The golden's queries are given, so that what departs is told module by module.
    return runCase(model, picture, golden, { injectQueries: true }).report.first?.path ?? "none";
  } finally {
    model.dispose();
    picture.dispose();
  }
}

function setEps(where: RegExp): (model: RTDETRDetectionModel) => void {
  return (model) => {
    for (const [path, module] of model.namedModules()) {
      if (module instanceof BatchNorm2d && where.test(path)) module.eps = 1e-5;
    }
  };
}

/** grid_sample, weighted and summed, as deformable attention is defined; with other options than the right ones. */
function deformableBy(options: Parameters<typeof ops.gridSample>[2]): typeof ops.deformableAttention {
  return (value, shapes, locations, weights) => {
    const [n, , heads, d] = value.shape;
    const [, q, , levels, points] = locations.shape;
    const rows: Tensor[] = [];
    let start = 0;
    shapes.forEach(([h, w], level) => {
      const plane = value
        .slice(1, start, start + h * w)
        .permute(0, 2, 3, 1)
        .reshape(n * heads, d, h, w);
      const at = locations
        .select(3, level)
        .permute(0, 2, 1, 3, 4)
        .reshape(n * heads, q, points, 2);
      rows.push(actual.gridSample(plane, actual.sub(actual.mul(at, 2), 1), options)); // [N*H, D, Q, P]
      start += h * w;
    });
    const share = weights.permute(0, 2, 1, 3, 4).reshape(n * heads, 1, q, levels * points);
    const mixed = actual.sum(actual.mul(actual.cat(rows, -1), share), -1); // [N*H, D, Q]
    return mixed
      .reshape(n, heads * d, q)
      .permute(0, 2, 1)
      .contiguous();
  };
}

describe("without a mutation nothing departs", () => {
  it.each([CONV, CONV_640, HYBRID])("$model $height", (of) => {
    expect(firstDeparture(of, () => {})).toBe("none");
  });

  it("nor does deformable attention by way of grid_sample", () => {
    vi.spyOn(ops, "deformableAttention").mockImplementation(deformableBy({}));
    expect(firstDeparture(CONV, () => {})).toBe("none");
  });
});

describe("the goldens reject", () => {
  it("BatchNorm eps 1e-5 everywhere, at the first BatchNorm", () => {
    expect(firstDeparture(CONV, setEps(/./))).toBe("model.0.conv0.convbn_0.BatchNorm2d");
  });

  it("BatchNorm eps 1e-5 in the backbone alone", () => {
    expect(firstDeparture(CONV, setEps(/^model\.0\./))).toBe("model.0.conv0.convbn_0.BatchNorm2d");
  });

  it("BatchNorm eps 1e-5 in input_proj alone", () => {
    expect(firstDeparture(CONV, setEps(/input_proj/))).toBe("model.19.input_proj.0.1");
  });

  it("residual connections in inverted bottlenecks", () => {
    const forward = UIB.prototype.forward;
    vi.spyOn(UIB.prototype, "forward").mockImplementation(function (this: UIB, x: Tensor) {
      const y = forward.call(this, x);
      return y.shape.join() === x.shape.join() ? actual.add(y, x) : y;
    });
    expect(firstDeparture(CONV, () => {})).toBe("model.0.layer3.uib_1");
  });

  it("positions that follow the tokens' order", () => {
    vi.spyOn(AIFI.prototype, "positions").mockImplementation((h, w, c) => {
      const table = sincosPositions(w, h, c);
      return table
        .reshape(w, h, c)
        .transpose(0, 1)
        .reshape(w * h, c);
    });
    expect(firstDeparture(CONV, () => {})).toMatch(/^model\.2\.(ma|norm1)/);
  });

  it("anchors that are all valid, at the tokens that should be zero", () => {
    vi.spyOn(anchors, "anchorLogits").mockImplementation((shapes, backend) => {
      const { anchors: logits, valid } = actualAnchors.anchorLogits(shapes, backend);
      const finite = logits.toFloat32Array().map((v) => (v === Number.POSITIVE_INFINITY ? 0 : v));
      return { anchors: tensor(finite, logits.shape, { backend }), valid: full(valid.shape, 1, { backend }) };
    });
    expect(firstDeparture(CONV_640, () => {})).toBe("model.19.enc_output.0");
  });

  it("tanh GELU, at the layer behind it", () => {
    vi.spyOn(ops, "gelu").mockImplementation((x) => actual.gelu(x, { approximate: "tanh" }));
    expect(firstDeparture(CONV, () => {})).toBe("model.2.fc2");
  });

  it("ReLU for ReLU6", () => {
    const plant = (model: RTDETRDetectionModel): void => {
      for (const [, module] of model.namedModules()) {
        if (!(module instanceof Sequential)) continue;
        for (const [name, child] of [...module.namedChildren()]) {
          if (child instanceof ReLU6) module.replace(name, new ReLU());
        }
      }
    };
    expect(firstDeparture(CONV, plant)).toMatch(/Activation$|convbn/);
  });

  it.each([
    ["align_corners in the sampling", { alignCorners: true }],
    ["border padding in the sampling", { paddingMode: "border" }],
    ["nearest sampling", { mode: "nearest" }],
  ] as const)("%s", (_title, options) => {
    vi.spyOn(ops, "deformableAttention").mockImplementation(deformableBy(options));
    expect(firstDeparture(CONV, () => {})).toBe("model.19.decoder.layers.0.cross_attn.output_proj");
  });

  it.each([
    ["query tokens that are pixels", { q: true, v: false }],
    ["value tokens that are pixels", { q: false, v: true }],
    ["query and value tokens that are pixels", { q: true, v: true }],
  ])("multi-query attention with %s", (_title, transposed) => {
    vi.spyOn(MultiQueryAttention.prototype, "forward").mockImplementation(function (
      this: MultiQueryAttention,
      x: Tensor,
    ) {
      return multiQueryAttention(this, x, transposed.q, transposed.v);
    });
    expect(firstDeparture(HYBRID, () => {})).toMatch(
      /^model\.0\.layer3\.msha_3\.multi_query_attention\._output_proj/,
    );
  });

  it("multi-query attention scaled by the whole width", () => {
    vi.spyOn(MultiQueryAttention.prototype, "scaleDim", "get").mockReturnValue(64);
    expect(firstDeparture(HYBRID, () => {})).toMatch(
      /^model\.0\.layer3\.msha_3\.multi_query_attention\._output_proj/,
    );
  });

  it("a backbone without its attention branch", () => {
    vi.spyOn(AttentionBlock.prototype, "forward").mockImplementation((x: Tensor) => x);
    expect(firstDeparture(HYBRID, () => {})).toBe("model.0.layer3.msha_3._input_norm");
  });

  it("blue for red", () => {
    expect(
      firstDeparture(CONV, (model) => {
        model.registerForwardPreHook((_module, [x]) => {
          const [r, g, b] = (x as Tensor).split(1, 1);
          return [actual.cat([b, g, r], 1)];
        });
      }),
    ).toBe("model.0.conv0.convbn_0.conv");
  });
});

/** Multi-query attention with query or value tokens taken by pixel. */
function multiQueryAttention(
  self: MultiQueryAttention,
  x: Tensor,
  byPixelQ: boolean,
  byPixelV: boolean,
): Tensor {
  const [n, , height, width] = x.dims4("attention");
  const { heads, dim } = self;
  const q0 = self._query_proj.call(x).contiguous();
  const v0 = self._value_proj.call(self._value_dw_conv?.call(x) ?? x).contiguous();
  const q = byPixelQ ? q0.viewAs(n, heads, dim, -1).transpose(2, 3) : q0.viewAs(n, heads, -1, dim);
  const k = self._key_proj.call(self._key_dw_conv?.call(x) ?? x).reshape(n, 1, dim, -1);
  const v = byPixelV ? v0.reshape(n, 1, dim, -1).transpose(2, 3) : v0.viewAs(n, 1, -1, dim);
  const mixed = actual.matmul(
    actual.softmax(actual.div(actual.matmul(q, k), Math.sqrt(self.scaleDim)), -1),
    v,
  );
  const laid = byPixelQ ? mixed.transpose(2, 3) : mixed;
  return self._output_proj.call(laid.reshape(n, heads * dim, height, width));
}
