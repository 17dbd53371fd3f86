/** Blocks put together wrongly: residuals that are not there in the original, branches lost, layers exchanged. */
import { FusedIB, MLP, RepC3, RepConv, UIB } from "../../models/index.ts";
import type { AnyModule } from "../../nn/index.ts";
import { add, cat, relu } from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { inEvery, type Mistake, withForward } from "./mistake.ts";
import type { Change } from "./problem.ts";

/** Adds the input where shapes allow it. */
function withResidual(kind: abstract new (...a: never[]) => AnyModule): Change {
  return inEvery(kind, (block) => {
    block.registerForwardHook((_module, inputs, output) => {
      const [x] = inputs as Tensor[];
      const y = output as Tensor;
      return x.shape.join() === y.shape.join() ? add(y, x) : y;
    });
  });
}

const uibResidual: Mistake = {
  name: "uib-residual",
  mend: "The universal inverted bottleneck has no residual connection in the original, whatever the shapes.",
  *guesses(problem) {
    if (problem.has((module) => module instanceof UIB)) {
      yield { change: withResidual(UIB), says: "the input is added to the UIB's output" };
    }
    if (problem.has((module) => module instanceof FusedIB)) {
      yield { change: withResidual(FusedIB), says: "the input is added to the fused bottleneck's output" };
    }
  },
};

const uibLayers: Mistake = {
  name: "uib-layers",
  mend: "UIB: [depthwise k0, no activation], 1x1 expansion with ReLU6, [depthwise k1 with ReLU6, carries the stride], 1x1 projection without activation.",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof UIB)) return;
    const order = (turn: (block: UIB, x: Tensor) => Tensor, needs: (block: UIB) => boolean): Change =>
      inEvery(UIB, (block) => {
        if (!needs(block)) return false;
        withForward(block, ((x: Tensor) => turn(block, x)) as never);
        return true;
      });
    yield {
      change: order(
        (block, x) => {
          const y = block._expand_conv.call(x);
          return block._proj_conv.call(block._middle_dw?.call(y) ?? y);
        },
        (block) => block._start_dw_ !== undefined,
      ),
      says: "the UIB's first depthwise convolution is left out",
    };
    yield {
      change: order(
        (block, x) => block._proj_conv.call(block._expand_conv.call(block._start_dw_?.call(x) ?? x)),
        (block) => block._middle_dw !== undefined,
      ),
      says: "the UIB's middle depthwise convolution is left out",
    };
  },
};

const repConv: Mistake = {
  name: "rep-conv",
  mend: "RepConv is SiLU(BN(conv3x3 x) + BN(conv1x1 x)): fold both branches, the 1x1 in the centre of the 3x3; there is no identity branch.",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof RepConv)) return;
    const guess = (
      says: string,
      forward: (block: RepConv, x: Tensor) => Tensor,
    ): { change: Change; says: string } => ({
      says,
      change: inEvery(RepConv, (block) => {
        if (!block.conv1 || !block.conv2) return false;
        withForward(block, ((x: Tensor) => block.act.call(forward(block, x))) as never);
        return true;
      }),
    });
    yield guess("RepConv's 1x1 branch is left out", ({ conv1 }, x) => conv1?.call(x) ?? x);
    yield guess("RepConv's 3x3 branch is left out", ({ conv2 }, x) => conv2?.call(x) ?? x);
    yield guess("RepConv has an identity branch besides", ({ conv1, conv2 }, x) =>
      conv1 && conv2 ? add(add(conv1.call(x), conv2.call(x)), x) : x,
    );
    yield guess("each branch of RepConv has a SiLU of its own", ({ conv1, conv2, act }, x) =>
      conv1 && conv2 ? add(act.call(conv1.call(x)), act.call(conv2.call(x))) : x,
    );
  },
};

const repC3: Mistake = {
  name: "rep-c3",
  mend: "RepC3 is cv3(m(cv1 x) + cv2 x): a sum, not a concatenation.",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof RepC3)) return;
    const guess = (
      says: string,
      forward: (block: RepC3, x: Tensor) => Tensor,
    ): { change: Change; says: string } => ({
      says,
      change: inEvery(RepC3, (block) => void withForward(block, ((x: Tensor) => forward(block, x)) as never)),
    });
    yield guess("RepC3's shortcut cv2 is left out", (b, x) => b.cv3.call(b.m.call(b.cv1.call(x))));
    yield guess("cv1 and cv2 of RepC3 are exchanged", (b, x) =>
      b.cv3.call(add(b.m.call(b.cv2.call(x)), b.cv1.call(x))),
    );
    yield guess("RepC3's cv3 is left out", (b, x) => add(b.m.call(b.cv1.call(x)), b.cv2.call(x)));
  },
};

const concatOrder: Mistake = {
  name: "concat-order",
  mend: "Join the maps in the order of the YAML's list.",
  *guesses(problem) {
    const inputs = [...problem.shapes.keys()];
    if ((problem.kind !== "Concat" && problem.kind !== "cat") || inputs.length < 2) return;
    yield {
      change: {
        tensors: (given) => {
          const values = [...given.values()].reverse();
          return new Map([...given.keys()].map((name, i) => [name, values[i]]));
        },
      },
      says: "the tensors are joined in the reverse order",
    };
    yield {
      change: {
        tensors: (given) => {
          const halves = [...given.values()];
          const [a, b, ...rest] = halves;
          if (a.shape[1] !== b.shape[1] || rest.length > 0) return given;
          // Channels one of each in turn.
          const [n, c, h, w] = a.shape;
          const mixed = cat([a.unsqueeze(2), b.unsqueeze(2)], 2).reshape(n, 2 * c, h, w);
          const [first, second] = mixed.chunk(2, 1);
          return new Map([...given.keys()].map((name, i) => [name, [first, second][i]]));
        },
      },
      says: "the tensors' channels are interleaved",
    };
  },
};

const mlpLayers: Mistake = {
  name: "mlp-last-activation",
  mend: "ReLU stands between the linear layers only, not after the last.",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof MLP)) return;
    yield {
      change: inEvery(MLP, (mlp) => {
        const layers = [...mlp.layers];
        withForward(mlp, ((x: Tensor) => layers.reduce((y, layer) => relu(layer.call(y)), x)) as never);
      }),
      says: "a ReLU follows the last linear layer too",
    };
  },
};

/** All of them. */
export const BLOCKS: readonly Mistake[] = [uibResidual, uibLayers, repConv, repC3, concatOrder, mlpLayers];
