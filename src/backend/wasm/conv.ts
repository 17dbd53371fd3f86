/**
 * Convolution over channels-last memory. Where there is padding (or another layout), the input is first copied into a
 * zero-framed channels-last buffer; then a dense or grouped convolution is a matrix product whose inputs are runs of
 * that buffer (no im2col), and a depthwise one has a kernel of its own. Weights are packed apart from running, as
 * `gemm.ts` says. Winograd's algorithm is in `winograd.ts`.
 */
import type { ConvOptions, Pair } from "../backend.ts";
import { copyView } from "./copy.ts";
import { type Engine, select, sizeOf, type Take, type View } from "./engine.ts";
import { activationCode, contiguousResidual } from "./epilogue.ts";
import { type Product, type ProductOptions, packPanels, panelBytes, runGemm, type Segments } from "./gemm.ts";
import { packStrassen, runStrassen, strassenBytes } from "./strassen.ts";

const LINE_ELEMENTS = 16; // of a 64-byte cache line
const SET_ELEMENTS = 512; // pixels 2 KB apart fall into the same few sets of the first cache

/** Weights of a convolution as its kernel reads them. */
export interface PackedConv {
  /** `depthwise`: one output per channel, more than one channel. `strassen`: dense, one group. */
  readonly kind: "dense" | "depthwise" | "strassen";
  readonly address: number;
  readonly bytes: number;
  readonly outputs: number;
  /** Inputs of one group. */
  readonly perGroup: number;
  readonly kernel: Pair;
  readonly groups: number;
}

/** What {@link runConv} may be told beside the geometry. */
export interface ConvEpilogue extends ProductOptions {
  /** x lies channels-last and the `padding` pixels around it, at its own strides, are zeros: no copy is made. */
  readonly framed?: boolean;
}

/**
 * Packs w [O, C/groups, kh, kw] of any strides, and bias [O], for {@link runConv}; no dimension may be 0. With `strassen` for
 * Strassen's algorithm: one group, C and O as `strassenSupports` says.
 */
export function packConv(
  engine: Engine,
  take: Take,
  w: View,
  bias: View | undefined,
  groups: number,
  strassen = false,
): PackedConv {
  const [outputs, perGroup, kh, kw] = w.shape;
  const [so, si, sky, skx] = w.strides;
  const shape = { outputs, perGroup, kernel: [kh, kw] as const, groups };
  if (outputs > 1 && perGroup === 1 && groups === outputs) {
    const bytes = Math.ceil(outputs / 4) * (kh * kw + 1) * 16;
    const address = take(bytes);
    engine.run(
      "packDepthwise",
      [
        w.address,
        bias?.address ?? 0,
        address,
        outputs,
        so * 4,
        kh,
        sky * 4,
        kw,
        skx * 4,
        (bias?.strides[0] ?? 0) * 4,
      ],
      Math.ceil(outputs / 4),
      kh * kw * 6,
    );
    return { kind: "depthwise", address, bytes, ...shape };
  }
  if (strassen) {
    const address = packStrassen(engine, take, {
      address: w.address,
      outputs,
      outputStride: so,
      segments: { length: perGroup, taps: kw, tapStride: skx, rows: kh, rowStride: sky },
      inputStride: si,
      matrices: 1,
      matrixStride: 0,
      bias: bias && { address: bias.address, stride: bias.strides[0] },
    });
    return { kind: "strassen", address, bytes: strassenBytes(outputs, perGroup * kh * kw), ...shape };
  }
  const perOutput = outputs / groups;
  const groupBytes = panelBytes(perOutput, perGroup * kh * kw);
  const address = take(groups * groupBytes);
  for (let g = 0; g < groups; g++) {
    packPanels(engine, () => address + g * groupBytes, {
      address: w.address + g * perOutput * so * 4,
      outputs: perOutput,
      outputStride: so,
      segments: { length: perGroup, taps: kw, tapStride: skx, rows: kh, rowStride: sky },
      inputStride: si,
      matrices: 1,
      matrixStride: 0,
      bias: bias && { address: bias.address + g * perOutput * bias.strides[0] * 4, stride: bias.strides[0] },
    });
  }
  return { kind: "dense", address, bytes: groups * groupBytes, ...shape };
}

/**
 * y [N, O, Ho, Wo] = activation(conv(x [N, C, H, W])) + residual; any strides, fastest where x, y and the residual are
 * channels-last. `o.groups` is as packed.
 */
export function runConv(
  engine: Engine,
  x: View,
  w: PackedConv,
  y: View,
  o: ConvOptions,
  epilogue: ConvEpilogue = {},
): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) => {
    const [batch, outputs, height, width] = y.shape;
    const direct = outputs === 1 || y.strides[1] === 1;
    const nhwc = direct ? y : engine.temporary(take, [batch, height, width, outputs]);
    const out: View = direct
      ? y
      : {
          address: nhwc.address,
          shape: y.shape,
          strides: [height * width * outputs, 1, width * outputs, outputs],
        };
    const residual = contiguousResidual(engine, take, epilogue.residual, 1, out);
    const run = w.kind === "depthwise" ? depthwise : dense;
    run(engine, take, x, w, out, o, { ...epilogue, residual });
    if (!direct) copyView(engine, out, y);
  });
}

/** x [N, C, H, W], w [O, C/groups, kh, kw], bias [O], y [N, O, Ho, Wo]; any strides. */
export function convView(
  engine: Engine,
  x: View,
  w: View,
  bias: View | undefined,
  y: View,
  o: ConvOptions,
  epilogue: ConvEpilogue = {},
): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) =>
    runConv(engine, x, packConv(engine, take, w, bias, o.groups, epilogue.strassen), y, o, epilogue),
  );
}

/** A channels-last image that holds every tap: strides in elements. */
interface Framed {
  /** Byte address of the first tap of output (0, 0). */
  readonly address: number;
  readonly imageStride: number;
  readonly rowStride: number;
  readonly pixelStride: number;
}

/** x itself where it lies channels-last and framed or unpadded, else a framed copy with pixels `pixelStride` apart. */
function frame(
  engine: Engine,
  take: Take,
  x: View,
  o: ConvOptions,
  isFramed: boolean,
  pixelStride: number,
): Framed {
  const [batch, channels, height, width] = x.shape;
  const [ph, pw] = o.padding;
  const [sn, sc, sh, sw] = x.strides;
  if ((isFramed || (ph === 0 && pw === 0)) && (sc === 1 || channels === 1)) {
    const address = x.address - (ph * sh + pw * sw) * 4;
    return { address, imageStride: sn, rowStride: sh, pixelStride: sw };
  }
  const rowStride = (width + 2 * pw) * pixelStride;
  const imageStride = (height + 2 * ph) * rowStride;
  const address = take(batch * imageStride * 4);
  if (ph > 0 || pw > 0) {
    for (let n = 0; n < batch; n++) {
      engine.run(
        "zeroFrame",
        [address + n * imageStride * 4, height, width, ph, pw, pixelStride * 4, rowStride * 4],
        height + 2 * ph,
        100,
      );
    }
  }
  const inner: View = {
    address: address + (ph * rowStride + pw * pixelStride) * 4,
    shape: x.shape,
    strides: [imageStride, 1, rowStride, pixelStride],
  };
  copyView(engine, x, inner);
  return { address, imageStride, rowStride, pixelStride };
}

function depthwise(
  engine: Engine,
  take: Take,
  x: View,
  w: PackedConv,
  y: View,
  o: ConvOptions,
  epilogue: ConvEpilogue,
): void {
  const [batch, channels, height, width] = y.shape;
  const [kh, kw] = w.kernel;
  const [stepY, stepX] = o.stride;
  const [dilationY, dilationX] = o.dilation;
  const pixel = channels % SET_ELEMENTS === 0 ? channels + LINE_ELEMENTS : channels;
  const from = frame(engine, take, x, o, epilogue.framed === true, pixel);
  const { residual } = epilogue;
  for (let n = 0; n < batch; n++) {
    engine.run(
      "depthwise",
      [
        from.address + n * from.imageStride * 4,
        w.address,
        y.address + n * y.strides[0] * 4,
        channels,
        width,
        kh,
        from.rowStride * dilationY * 4,
        kw,
        from.pixelStride * dilationX * 4,
        from.rowStride * stepY * 4,
        from.pixelStride * stepX * 4,
        y.strides[2] * 4,
        y.strides[3] * 4,
        activationCode(epilogue.activation),
        residual ? residual.address + n * residual.strides[0] * 4 : 0,
        (residual?.strides[2] ?? 0) * 4,
        (residual?.strides[3] ?? 0) * 4,
      ],
      height,
      width * channels * kh * kw * 0.08,
    );
  }
}

function dense(
  engine: Engine,
  take: Take,
  x: View,
  w: PackedConv,
  y: View,
  o: ConvOptions,
  epilogue: ConvEpilogue,
): void {
  const [batch, outputs, height, width] = y.shape;
  const { perGroup, groups } = w;
  const [kh, kw] = w.kernel;
  const [stepY, stepX] = o.stride;
  const [dilationY, dilationX] = o.dilation;
  const from = frame(engine, take, x, o, epilogue.framed === true, x.shape[1]);
  const { activation, residual } = epilogue;
  const halved = w.kind === "strassen";
  // Taps of one kernel row are one run where pixels follow each other without a gap. Strassen's algorithm halves every run.
  const joined = kw === 1 || (!halved && dilationX === 1 && groups === 1 && from.pixelStride === perGroup);
  const segments: Segments = {
    length: joined ? kw * perGroup : perGroup,
    taps: joined ? 1 : kw,
    tapStride: from.pixelStride * dilationX,
    rows: kh,
    rowStride: from.rowStride * dilationY,
  };
  const perOutput = outputs / groups;
  const xPixelStride = from.pixelStride * stepX;
  const xRowStride = from.rowStride * stepY;
  // Rows of the output that follow each other evenly everywhere are one row.
  const follow = (v: View): boolean => v.strides[2] === width * v.strides[3];
  const flat =
    height === 1 ||
    (xRowStride === width * xPixelStride && follow(y) && (residual === undefined || follow(residual)));
  for (let g = 0; g < groups; g++) {
    for (let n = 0; n < batch; n++) {
      const [image, added] = [select(y, n), residual && select(residual, n)];
      const product: Product = {
        x: from.address + (n * from.imageStride + g * perGroup) * 4,
        panels: w.address + (g * w.bytes) / groups,
        y: image.address + g * perOutput * 4,
        pixels: flat ? height * width : width,
        outputs: perOutput,
        segments,
        xPixelStride,
        yPixelStride: y.strides[3],
        outer: flat ? 1 : height,
        xOuterStride: xRowStride,
        panelsOuterBytes: 0,
        yOuterStride: y.strides[2],
        activation,
        residual: added && {
          address: added.address + g * perOutput * 4,
          pixelStride: added.strides[2],
          outerStride: added.strides[1],
        },
      };
      if (halved) engine.scratch((own) => runStrassen(engine, own, product));
      else runGemm(engine, product);
    }
  }
}
