/**
 * onnxruntime as a runtime of the conformance kit: JSON, a line a message (docs/conformance-protocol.md), for the files that
 * conformance/make/onnx_models.py exports. Plain JavaScript; the package is where it is installed, not here.
 *
 *   mobiledetr conform run --protocol jsonl -- node conformance/adapters/onnxruntime-runtime.mjs --models FOLDER
 *     --package NAME   onnxruntime-node or onnxruntime-web; the first of them that is found, unless said
 *     --from FOLDER    where it is looked for, as a program there would; the current folder, unless said
 *
 * What has no file is `unsupported`. A file that is not the one that index.json names, or that holds other weights than the
 * request, fails its case.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

const PROVIDERS = { "onnxruntime-node": "cpu", "onnxruntime-web": "wasm" };
const TYPES = { F32: ["float32", Float32Array], I64: ["int64", BigInt64Array] };

/** Ends the program: it was called in a way that cannot work. */
function refuse(message) {
  console.error(`onnxruntime-runtime: ${message}`);
  process.exit(2);
}

/** Tensors of a safetensors file by name: { type, dims, data }. */
function readTensors(path) {
  const bytes = readFileSync(path);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__, ...header } = JSON.parse(bytes.subarray(8, begin).toString("utf8"));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
    if (!(dtype in TYPES)) throw new Error(`${name}: tensors of ${dtype} are not known here`);
    const [type, Elements] = TYPES[dtype];
    const { buffer } = new Uint8Array(bytes.subarray(begin + range[0], begin + range[1])); // a copy, aligned
    tensors[name] = { type, dims: shape, data: new Elements(buffer) };
  }
  return tensors;
}

/** Writes such tensors, onnxruntime's own as well. */
function writeTensors(path, tensors) {
  const [header, parts] = [{}, []];
  let end = 0;
  for (const [name, { type, dims, data }] of Object.entries(tensors)) {
    const dtype = Object.keys(TYPES).find((key) => TYPES[key][0] === type);
    if (!dtype) throw new Error(`${name}: tensors of ${type} are not known here`);
    header[name] = { dtype, shape: dims, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, ...parts]));
}

/** Throws where the hash of some parts, one after another, is not the one that index.json has. */
function verify(what, expected, parts) {
  const sha = createHash("sha256");
  for (const part of parts) sha.update(part);
  if (sha.digest("hex") !== expected) throw new Error(`${what} are not those of index.json: export it again`);
}

const options = { models: { type: "string" }, package: { type: "string" }, from: { type: "string" } };
const { models = "", package: wanted, from = "." } = parseArgs({ options }).values;
const indexPath = join(models, "index.json");
if (!existsSync(indexPath))
  refuse(`--models: expected a folder with index.json, got ${models || "none"} (onnx_models.py writes one)`);
const index = JSON.parse(readFileSync(indexPath, "utf8"));

const require = createRequire(join(resolve(from), "any.js"));
const isThere = (name) => require.resolve.paths(name).some((folder) => existsSync(join(folder, name)));
const known = Object.keys(PROVIDERS);
const name = known.filter((one) => one === (wanted ?? one)).find(isThere);
if (!name)
  refuse(
    `--package: expected ${known.join(" or ")} in ${resolve(from)}, got ${wanted ?? "neither"} (see --from)`,
  );
const ort = require(name);
ort.env.wasm.numThreads = 1;
const settings = { executionProviders: [PROVIDERS[name]], intraOpNumThreads: 1 };

/** Answers a request. */
async function run({ request, output }) {
  const { id } = JSON.parse(readFileSync(join(request, "request.json"), "utf8"));
  const exported = index.cases.find((one) => one.id === id);
  const reason = index.unsupported.find((one) => one.id === id)?.reason ?? "no file was exported for it";
  if (!exported) return { status: "unsupported", message: reason };
  const file = readFileSync(join(models, exported.file));
  verify(`${exported.file}: the bytes`, exported.sha256, [file]);
  const weights = readTensors(join(request, "parameters.safetensors"));
  const parts = Object.keys(weights)
    .sort()
    .flatMap((key) => [key, weights[key].data]);
  verify(`${exported.file}: the request's weights`, exported.parameters, parts);
  const session = await ort.InferenceSession.create(file, settings);
  const given = Object.entries(readTensors(join(request, "inputs.safetensors")));
  const feeds = given.map(([key, { type, data, dims }]) => [key, new ort.Tensor(type, data, dims)]);
  const start = performance.now();
  const results = await session.run(Object.fromEntries(feeds));
  const seconds = (performance.now() - start) / 1000;
  writeTensors(join(output, "outputs.safetensors"), results);
  await session.release();
  return { status: "done", seconds };
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const hello = { protocol: 1, name: `${name} ${ort.env.versions[name.slice(12)]}`, kinds: index.kinds };
for await (const line of createInterface({ input: process.stdin })) {
  const { type, ...message } = JSON.parse(line);
  if (type === "shutdown") break;
  if (type === "hello") say({ type, ...hello });
  if (type !== "run") continue;
  const said = await run(message).catch((error) => ({ status: "failed", message: error.message }));
  say({ type: "result", id: message.id, ...said });
}
