/**
 * What every engine computes to be compared bit by bit: operators with odd values, backbones, detectors, pictures from a
 * file's bytes on. Plain JavaScript on the package's own entry points, which the caller imports: the same file runs in Node,
 * Deno, Bun and a browser's worker. It decides nothing: it gives hashes, `run.mjs` compares them.
 */

/** The number of threads that a case runs with, in turn, where there are threads. */
export const THREADS = [1, 2, 3, 4, 5, 6, 7, 8];

const { fround } = Math;
/** What is odd about floating point: signs of zero, infinities, a NaN, the ends of the range, subnormal numbers. */
const ODD = [
  0,
  -0,
  1,
  -1,
  1e-45,
  -1e-45,
  1.1754942e-38,
  1e-30,
  3.4e38,
  -3.4e38,
  Infinity,
  -Infinity,
  NaN,
  88.7,
  -87.5,
  -104,
];

/** SHA-256 of arrays' bytes, in hexadecimal, its first 16 digits: enough to tell, short enough to read. */
async function hash(...arrays) {
  const parts = arrays.map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  );
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return Array.from(digest.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Every operator with a kernel or a loop of its own: name, and what it does with a maker of inputs. */
function operators({ ops }) {
  const x4 = (make) => make("x", [2, 24, 13, 11]);
  return {
    odd: (make) => {
      const x = make("odd", [64], true);
      const names = ["relu", "relu6", "silu", "gelu", "sigmoid", "exp", "log", "sqrt", "neg", "sin", "cos"];
      return [...names.map((name) => ops[name](x)), ops.gelu(x, { approximate: "tanh" })];
    },
    "odd pairs": (make) => {
      const [a, b] = [make("odd", [64], true), make("pairs", [64], true)];
      return ["add", "sub", "mul", "div", "minimum", "maximum"].map((name) => ops[name](a, b));
    },
    unary: (make) => {
      const x = make("x", [4099]);
      return ["silu", "gelu", "sigmoid", "exp", "sin", "cos"].map((name) => ops[name](x));
    },
    "large sines": (make) => {
      const x = ops.mul(make("x", [999]), 1e20);
      return [ops.sin(x), ops.cos(x), ops.log(ops.mul(x, x))];
    },
    softmax: (make) => [ops.softmax(make("x", [7, 5, 301]), 2), ops.softmax(make("x", [7, 5, 301]), 1)],
    "layer norm": (make) => [ops.layerNorm(make("x", [33, 130]), [130], make("w", [130]), make("b", [130]))],
    "linear and matmul": (make) => [
      ops.linear(make("x", [3, 37, 65]), make("w", [50, 65]), make("b", [50])),
      ops.matmul(make("a", [2, 9, 33]), make("b", [2, 33, 17])),
    ],
    "conv 1x1": (make) => [ops.conv2d(x4(make), make("w", [40, 24, 1, 1]), make("b", [40]))],
    "conv 3x3": (make) =>
      [1, 2].map((stride) =>
        ops.conv2d(x4(make), make("w", [32, 24, 3, 3]), make("b", [32]), { stride, padding: 1 }),
      ),
    "conv 3x3, many channels": (make) => [
      ops.conv2d(make("x", [1, 64, 20, 20]), make("w", [64, 64, 3, 3]), undefined, { padding: 1 }),
    ],
    depthwise: (make) =>
      [3, 5].flatMap((k) =>
        [1, 2].map((stride) =>
          ops.conv2d(x4(make), make(`w${k}`, [24, 1, k, k]), make("b", [24]), {
            stride,
            padding: k >> 1,
            groups: 24,
          }),
        ),
      ),
    pooling: (make) => [
      ops.maxPool2d(x4(make), 3, { stride: 2, padding: 1 }),
      ops.avgPool2d(x4(make), 2),
      ops.adaptiveAvgPool2d(x4(make), [5, 3]),
    ],
    interpolate: (make) => [
      ops.interpolate(x4(make), { scaleFactor: 2, mode: "nearest" }),
      ops.interpolate(x4(make), { size: [29, 31], mode: "bilinear" }),
    ],
    "grid sample": (make) => [ops.gridSample(x4(make), make("grid", [2, 7, 9, 2]))],
    reductions: (make) => [
      ops.sum(x4(make), 1),
      ops.mean(x4(make)),
      ops.max(x4(make), 3),
      ops.argmax(x4(make), 1),
    ],
    "top k, with ties": (make) => {
      const x = ops.relu(make("x", [3, 400])); // half of them are 0
      const { values, indices } = ops.topk(x, 250, 1);
      return [values, indices];
    },
  };
}

/** Weights for a module from the generator, by their names. */
function seededSource({ weights }, module, prefix = "") {
  const shapes = new Map([...module.slots()].map(({ name, tensor }) => [prefix + name, tensor.shape]));
  const has = (name) => shapes.has(name);
  const of = (name) => weights.seededTensor(name, shapes.get(name), { has, seed: 5 });
  return {
    name: "the generator",
    names: [...shapes.keys()].map((name) => name.slice(prefix.length)),
    has: (name) => has(prefix + name),
    entry: (name) => ({ name, dtype: "F32", shape: shapes.get(prefix + name), byteLength: 0 }),
    readInto: (name, out) => {
      const values = of(prefix + name);
      for (let i = 0; i < out.length; i++)
        out[i] = typeof out[0] === "bigint" ? BigInt(values[i]) : values[i];
    },
  };
}

/**
 * Runs cases and hands each result to `tell({ name, path, threads, hash })`. `library`: the entry points by name. `files`:
 * bytes by name. `threads`: which numbers of threads; [1] where there are none.
 */
export async function runCases(library, files, threads, tell) {
  const { backend: backends, models, nn, tensor: tensors, compile: compiler, weights, image, main } = library;
  const reference = backends.referenceBackend;
  const all = new Map(
    threads.map((count) => [count, backends.createWasmBackend({ threads: count, inlineBelowNs: 0 })]),
  );
  const say = async (name, path, count, ...arrays) =>
    tell({ name, path, threads: count, hash: await hash(...arrays) });

  /** A maker of inputs on a backend: the same numbers for the same name and shape. */
  const maker =
    (backend) =>
    (name, shape, odd = false) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const values = weights.randomUniform(9, `${name} ${shape}`, size).map((u) => fround(4 * u - 2));
      if (odd) {
        for (let i = 0; i < size; i++) {
          if (name === "odd") values[i] = i < 16 ? ODD[i] : i < 32 ? ODD[i - 16] : values[i];
          else if (i < 16) values[i] = ODD[(i * 7 + 3) % 16];
        }
      }
      return tensors.tensor(values, shape, { backend });
    };
  const run = async (name, path, count, backend, body) => {
    const outputs = backends.withScope(
      () => {
        const results = body(maker(backend));
        return results.map((result) => bytesOf(result));
      },
      () => [],
    );
    await say(name, path, count, ...outputs);
  };
  const bytesOf = (x) => {
    const own = x.contiguous();
    const { data } = own.storage;
    return data.slice(own.offset, own.offset + own.size);
  };

  for (const [name, body] of Object.entries(operators(library))) {
    await run(name, "reference", 1, reference, body);
    for (const [count, backend] of all) await run(name, "eager", count, backend, body);
  }

  /** A network by its three paths, alone and in a batch, of which every picture must be as alone. */
  const network = async (name, make, prefix, [height, width]) => {
    const pictures = [1, 2, 3].map((seed) => weights.seededImage(seed, height, width));
    const pick = (result) => (Array.isArray(result) ? result : Object.values(result));
    const batched = (values) => {
      const out = new Float32Array(values.length * values[0].length);
      for (const [i, one] of values.entries()) out.set(one, i * one.length);
      return out;
    };
    for (const [count, backend] of all) {
      const model = make();
      nn.loadStateDict(model, seededSource(library, model, prefix), { backend });
      const input = (values) =>
        tensors.tensor(batched(values), [values.length, 3, height, width], { backend });
      for (const path of ["eager", "compiled", "exact"]) {
        for (const batch of count <= 2 ? [1, 3] : [1]) {
          const shape = [batch, 3, height, width];
          const plan =
            path === "eager"
              ? undefined
              : compiler.compile(model, { shape, backend, exact: path === "exact" });
          const outputs = backends.withScope(
            () => {
              const x = input(pictures.slice(0, batch));
              const results = pick(plan ? plan.run(x) : model.call(x));
              return Array.from({ length: batch }, (_, i) =>
                results.map((result) => bytesOf(result.select(0, i))),
              );
            },
            () => [],
          );
          for (const [i, output] of outputs.entries())
            await say(`${name}, picture ${i + 1}`, path, count, ...output);
          plan?.dispose();
        }
      }
      model.dispose();
    }
  };
  const text = (bytes) => new TextDecoder().decode(bytes);
  await network(
    "MobileNetV4ConvSmall",
    () => new models.MobileNetV4("MobileNetV4ConvSmall"),
    "model.0.",
    [96, 64],
  );
  await network(
    "MobileNetV4HybridMedium",
    () => new models.MobileNetV4("MobileNetV4HybridMedium"),
    "model.0.",
    [64, 64],
  );
  await network(
    "small detector",
    () =>
      new models.RTDETRDetectionModel(
        models.parseModelConfig(text(files["codes.yaml"]), { source: "codes.yaml" }),
      ),
    "",
    [128, 160],
  );
  for (const backend of all.values()) await backend.close();

  for (const [name, bytes] of Object.entries(files)) {
    if (!/\.(jpg|png)$/.test(name)) continue;
    const { data, width, height } = image.decodeImage(bytes);
    await say(`decode ${name}`, "image", 1, data, Int32Array.of(width, height));
    const sized = image.resizeBilinear({ data, width, height, channels: 3 }, 320, 320);
    await say(`resize ${name}`, "image", 1, sized.data);
  }
  const codes = { name: "codes", yaml: text(files["codes.yaml"]), weights: files["codes.f16.safetensors"] };
  for (const count of threads) {
    const options = { imgsz: 320, threads: count, conf: 0.01, model: codes };
    for (const [path, how] of Object.entries({ compiled: {}, eager: { compile: false } })) {
      if (path === "eager" && count > 2) continue; // layer by layer at this size takes its time
      const detector = await main.loadDetector({ ...options, ...how });
      for (const name of ["cat.jpg", "wall.jpg"]) {
        const { detections } = await detector.detect(files[name]);
        const rows = detections.flatMap(({ box, score, class: kind }) => [...box, score, kind]);
        await say(`codes, ${name}, ${detections.length} boxes`, path, count, Float64Array.from(rows));
      }
      if (count <= 2) {
        const tiled = await detector.detectTiled(files["wall.jpg"], { tile: 640, conf: 0.2 });
        const lines = new TextEncoder().encode(tiled.toTxt({ save_conf: true }));
        await say(`codes, wall.jpg by tiles, ${tiled.length} boxes`, path, count, tiled.boxes.xywhn, lines);
      }
      await detector.close();
    }
  }
}
