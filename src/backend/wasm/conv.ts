/**
 * Convolution over channels-last memory. Where there is padding (or another layout), the input is first copied into a
 * zero-framed channels-last buffer; then a dense or grouped convolution is a matrix product whose inputs are runs of
 * that buffer (no im2col), and a depthwise one has a kernel of its own.
 */
import type { ConvOptions } from "../backend.ts";
import { copyView } from "./copy.ts";
import { type Engine, select, sizeOf, type Take, type View } from "./engine.ts";
import { packPanels, runGemm, type Segments } from "./gemm.ts";

const LINE_ELEMENTS = 16; // of a 64-byte cache line
const SET_ELEMENTS = 512; // pixels 2 KB apart fall into the same few sets of the first cache

/** A channels-last image that holds every tap: strides in elements. */
interface Framed {
  /** Byte address of the first tap of output (0, 0). */
  readonly address: number;
  readonly imageStride: number;
  readonly rowStride: number;
  readonly pixelStride: number;
}

/** x [N, C, H, W], w [O, C/groups, kh, kw], bias [O], y [N, O, Ho, Wo]; any strides. */
export function convView(
  engine: Engine,
  x: View,
  w: View,
  bias: View | undefined,
  y: View,
  o: ConvOptions,
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
    const channels = x.shape[1];
    if (channels > 1 && o.groups === channels && outputs === channels) {
      depthwise(engine, take, x, w, bias, out, o);
    } else dense(engine, take, x, w, bias, out, o);
    if (!direct) copyView(engine, out, y);
  });
}

/** x itself where it lies channels-last and has no padding, else a framed copy with pixels `pixelStride` apart. */
function framed(engine: Engine, take: Take, x: View, o: ConvOptions, pixelStride: number): Framed {
  const [batch, channels, height, width] = x.shape;
  const [ph, pw] = o.padding;
  const [sn, sc, sh, sw] = x.strides;
  if (ph === 0 && pw === 0 && (sc === 1 || channels === 1)) {
    return { address: x.address, imageStride: sn, rowStride: sh, pixelStride: sw };
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
  w: View,
  bias: View | undefined,
  y: View,
  o: ConvOptions,
): void {
  const [batch, channels, height, width] = y.shape;
  const [, , kh, kw] = w.shape;
  const [stepY, stepX] = o.stride;
  const [dilationY, dilationX] = o.dilation;
  const pixel = channels % SET_ELEMENTS === 0 ? channels + LINE_ELEMENTS : channels;
  const from = framed(engine, take, x, o, pixel);
  const weights = take(Math.ceil(channels / 4) * (kh * kw + 1) * 16);
  const [so, , sky, skx] = w.strides;
  engine.run(
    "packDepthwise",
    [
      w.address,
      bias?.address ?? 0,
      weights,
      channels,
      so * 4,
      kh,
      sky * 4,
      kw,
      skx * 4,
      (bias?.strides[0] ?? 0) * 4,
    ],
    Math.ceil(channels / 4),
    kh * kw * 6,
  );
  for (let n = 0; n < batch; n++) {
    engine.run(
      "depthwise",
      [
        from.address + n * from.imageStride * 4,
        weights,
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
  w: View,
  bias: View | undefined,
  y: View,
  o: ConvOptions,
): void {
  const [batch, outputs, height, width] = y.shape;
  const [, perGroup, kh, kw] = w.shape;
  const [stepY, stepX] = o.stride;
  const [dilationY, dilationX] = o.dilation;
  const from = framed(engine, take, x, o, x.shape[1]);
  const [so, si, sky, skx] = w.strides;
  // Taps of one kernel row are one run where pixels follow each other without a gap.
  const joined = kw === 1 || (dilationX === 1 && o.groups === 1 && from.pixelStride === perGroup);
  const read: Segments = {
    length: joined ? kw * perGroup : perGroup,
    taps: joined ? 1 : kw,
    tapStride: from.pixelStride * dilationX,
    rows: kh,
    rowStride: from.rowStride * dilationY,
  };
  const perOutput = outputs / o.groups;
  for (let g = 0; g < o.groups; g++) {
    const panels = packPanels(engine, take, {
      address: w.address + g * perOutput * so * 4,
      outputs: perOutput,
      outputStride: so,
      segments: { length: perGroup, taps: kw, tapStride: skx, rows: kh, rowStride: sky },
      inputStride: si,
      matrices: 1,
      matrixStride: 0,
      bias: bias && { address: bias.address + g * perOutput * bias.strides[0] * 4, stride: bias.strides[0] },
    });
    const xPixelStride = from.pixelStride * stepX;
    const xRowStride = from.rowStride * stepY;
    // Rows of the output that follow each other evenly in both are one row.
    const flat =
      height === 1 || (xRowStride === width * xPixelStride && y.strides[2] === width * y.strides[3]);
    for (let n = 0; n < batch; n++) {
      const image = select(y, n);
      runGemm(engine, {
        x: from.address + (n * from.imageStride + g * perGroup) * 4,
        panels,
        y: image.address + g * perOutput * 4,
        pixels: flat ? height * width : width,
        outputs: perOutput,
        segments: read,
        xPixelStride,
        yPixelStride: y.strides[3],
        outer: flat ? 1 : height,
        xOuterStride: xRowStride,
        panelsOuterBytes: 0,
        yOuterStride: y.strides[2],
      });
    }
  }
}
