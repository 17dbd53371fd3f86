/**
 * Bilinear sampling with zero padding from channels-last maps: grid_sample and multi-scale deformable attention
 * (arXiv 2010.04159). Coordinates are computed as PyTorch's CPU code does, in single precision. Corners outside the map
 * count as zero; a coordinate that is NaN reads nothing.
 */

/** acc[c] += weight * x[c] for `channels` floats. */
function accumulate(x: usize, acc: usize, channels: i32, weight: f32): void {
  const w = f32x4.splat(weight);
  for (; channels >= 4; channels -= 4) {
    v128.store(acc, f32x4.add(v128.load(acc), f32x4.mul(v128.load(x), w)));
    x += 16;
    acc += 16;
  }
  for (; channels > 0; channels--) {
    store<f32>(acc, load<f32>(acc) + load<f32>(x) * weight);
    x += 4;
    acc += 4;
  }
}

/**
 * acc[c] += weight * map(px, py)[c], the four corners in the order nw, ne, sw, se.
 * map: [height, width] pixels of `channels` floats, strides in bytes; px, py in pixels, centres at whole numbers.
 */
function sample(
  map: usize,
  height: i32,
  width: i32,
  rowBytes: usize,
  pixelBytes: usize,
  px: f32,
  py: f32,
  weight: f32,
  acc: usize,
  channels: i32,
): void {
  if (!(px > -1 && py > -1 && px < (width as f32) && py < (height as f32))) return;
  const fx = floor<f32>(px);
  const fy = floor<f32>(py);
  const east = px - fx;
  const south = py - fy;
  const west: f32 = (1 as f32) - east;
  const north: f32 = (1 as f32) - south;
  const ix = fx as i32;
  const iy = fy as i32;
  const at = map + ((iy * (rowBytes as i32) + ix * (pixelBytes as i32)) as usize);
  if (iy >= 0) {
    if (ix >= 0) accumulate(at, acc, channels, north * west * weight);
    if (ix + 1 < width) accumulate(at + pixelBytes, acc, channels, north * east * weight);
  }
  if (iy + 1 < height) {
    if (ix >= 0) accumulate(at + rowBytes, acc, channels, south * west * weight);
    if (ix + 1 < width) accumulate(at + rowBytes + pixelBytes, acc, channels, south * east * weight);
  }
}

/**
 * out[n, q, h*D + d] = sum over levels l and points p of weights[n, q, h, l, p] * bilinear(value_l[n, :, h, d], location).
 * - value [N, S, H, D]: strides in bytes, D contiguous; tokens of level l start at `starts[l]`
 * - shapes: i32 triples (height, width, first token) per level
 * - locations [N, Q, H, L, P, 2], (x, y) fractions of the map; weights [N, Q, H, L, P]; both contiguous
 * - out [N, Q, H*D]: rows outRowBytes apart, images outImageBytes
 * - unit: one (n, q)
 */
export function deformableAttention(
  value: usize,
  shapes: usize,
  locations: usize,
  weights: usize,
  out: usize,
  queries: i32,
  heads: i32,
  channels: i32,
  levels: i32,
  points: i32,
  valueImageBytes: usize,
  valueTokenBytes: usize,
  valueHeadBytes: usize,
  outImageBytes: usize,
  outRowBytes: usize,
  begin: i32,
  end: i32,
): void {
  for (let unit = begin; unit < end; unit++) {
    const image = unit / queries;
    const query = unit - image * queries;
    const perQuery = ((heads * levels * points) as usize) << 2;
    let location = locations + (unit as usize) * (perQuery << 1);
    let weight = weights + (unit as usize) * perQuery;
    let acc = out + (image as usize) * outImageBytes + (query as usize) * outRowBytes;
    memory.fill(acc, 0, ((heads * channels) as usize) << 2);
    for (let head = 0; head < heads; head++) {
      const map = value + (image as usize) * valueImageBytes + (head as usize) * valueHeadBytes;
      let shape = shapes;
      for (let level = 0; level < levels; level++) {
        const height = load<i32>(shape);
        const width = load<i32>(shape, 4);
        const tokens = map + (load<i32>(shape, 8) as usize) * valueTokenBytes;
        shape += 12;
        for (let point = 0; point < points; point++) {
          // grid = 2 * location - 1, then ((grid + 1) * size - 1) / 2: PyTorch's roundings, in its order
          const gx: f32 = load<f32>(location) * 2 - 1;
          const gy: f32 = load<f32>(location, 4) * 2 - 1;
          const px: f32 = ((gx + 1) * (width as f32) - 1) / 2;
          const py: f32 = ((gy + 1) * (height as f32) - 1) / 2;
          const rowBytes = (width as usize) * valueTokenBytes;
          sample(tokens, height, width, rowBytes, valueTokenBytes, px, py, load<f32>(weight), acc, channels);
          location += 8;
          weight += 4;
        }
      }
      acc += (channels as usize) << 2;
    }
  }
}

/**
 * out[n, oy, ox] = bilinear(x[n], grid[n, oy, ox]), pixels of `channels` contiguous floats, zeros outside.
 * - x: strides in bytes; grid [N, rows, columns, 2] contiguous, (x, y) in [-1, 1]; out: strides in bytes
 * - alignCorners: 1 where -1 and 1 are the centres of the corner pixels, 0 where they are the edges of the map
 * - unit: one output row, `rows` per image
 */
export function gridSampleBilinearZeros(
  x: usize,
  grid: usize,
  out: usize,
  height: i32,
  width: i32,
  channels: i32,
  rows: i32,
  columns: i32,
  alignCorners: i32,
  xImageBytes: usize,
  xRowBytes: usize,
  xPixelBytes: usize,
  outImageBytes: usize,
  outRowBytes: usize,
  outPixelBytes: usize,
  begin: i32,
  end: i32,
): void {
  for (let unit = begin; unit < end; unit++) {
    const image = unit / rows;
    const row = unit - image * rows;
    const map = x + (image as usize) * xImageBytes;
    let g = grid + (((unit as usize) * (columns as usize)) << 3);
    let d = out + (image as usize) * outImageBytes + (row as usize) * outRowBytes;
    for (let column = 0; column < columns; column++) {
      let px: f32 = load<f32>(g) + 1;
      let py: f32 = load<f32>(g, 4) + 1;
      if (alignCorners != 0) {
        px = (px / 2) * ((width - 1) as f32);
        py = (py / 2) * ((height - 1) as f32);
      } else {
        px = (px * (width as f32) - 1) / 2;
        py = (py * (height as f32) - 1) / 2;
      }
      memory.fill(d, 0, (channels as usize) << 2);
      sample(map, height, width, xRowBytes, xPixelBytes, px, py, 1, d, channels);
      g += 8;
      d += outPixelBytes;
    }
  }
}
