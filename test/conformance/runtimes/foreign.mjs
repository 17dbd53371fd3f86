/**
 * A runtime of the conformance kit in plain JavaScript, without this package: ReLU, in both protocols, and every way to go wrong.
 *
 *   node foreign.mjs MODE [REQUEST OUTPUT]      folders where they are given, else lines
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [mode, requestFolder, outputFolder] = process.argv.slice(2);

/** Tensors of a safetensors file: f32 alone. */
function read(path) {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString("utf8"));
  const tensors = {};
  for (const [
    name,
    {
      shape,
      data_offsets: [begin, end],
    },
  ] of Object.entries(header)) {
    const copy = bytes.subarray(8 + length + begin, 8 + length + end);
    tensors[name] = {
      shape,
      data: new Float32Array(copy.buffer.slice(copy.byteOffset, copy.byteOffset + copy.length)),
    };
  }
  return tensors;
}

function write(path, tensors) {
  const header = {};
  const parts = [];
  let at = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const part = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + part.length] };
    at += part.length;
    parts.push(part);
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, ...parts]));
}

/** What becomes of a request; `undefined` where the outputs are written. */
function run(request, output) {
  const { subject, parameters_sha256: sha256 } = JSON.parse(readFileSync(`${request}/request.json`, "utf8"));
  if (mode === "unsupported" || subject.kind !== "operator" || subject.name !== "relu") {
    return { status: "unsupported", message: `${subject.kind} ${subject.name}` };
  }
  if (mode === "failing") return { status: "failed", message: "no memory" };
  const { input } = read(`${request}/inputs.safetensors`);
  let { shape, data } = { shape: input.shape, data: input.data.map((x) => Math.max(x, 0)) };
  if (mode === "relu-leaky") data = input.data.map((x) => (x > 0 ? x : 0.01 * x));
  if (mode === "shape") shape = [...shape].reverse();
  if (mode === "nan") data[0] = Number.NaN;
  if (mode === "parameters") data = data.map((_, i) => sha256.charCodeAt(i % 8));
  const outputs = mode === "partial" ? {} : { output: { shape, data } };
  write(`${output}/outputs.safetensors`, outputs);
  if (mode === "truncated")
    writeFileSync(
      `${output}/outputs.safetensors`,
      readFileSync(`${output}/outputs.safetensors`).subarray(0, 20),
    );
  if (mode === "lying-header") {
    const text = Buffer.from(
      JSON.stringify({ output: { dtype: "F32", shape: [1e9, 1e9], data_offsets: [0, 4e18] } }),
    );
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(`${output}/outputs.safetensors`, Buffer.concat([length, text]));
  }
  return undefined;
}

/** Ways to go wrong before anything is computed. */
function misbehave() {
  if (mode === "crash") {
    process.stderr.write("the reason stands here\n");
    process.exit(3);
  }
  if (mode === "signal") process.kill(process.pid, "SIGKILL");
  if (mode === "hang") for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
}

if (requestFolder) {
  misbehave();
  if (mode !== "nothing") {
    const said = run(requestFolder, outputFolder);
    if (said) writeFileSync(`${outputFolder}/response.json`, JSON.stringify(said));
    if (mode === "bad-response") writeFileSync(`${outputFolder}/response.json`, "{status: done");
    if (mode === "folder-response") mkdirSync(`${outputFolder}/response.json`);
  }
} else {
  const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  let runs = 0;
  if (mode === "deaf") setInterval(() => {}, 1e6);
  for await (const line of createInterface({ input: process.stdin })) {
    const message = JSON.parse(line);
    if (message.type === "shutdown") {
      if (mode !== "deaf") process.exit(0);
      continue;
    }
    if (message.type === "hello") {
      process.stdout.write("some library says hello, too\n");
      if (mode === "old") say({ type: "hello", protocol: 0, name: "old" });
      else say({ type: "hello", protocol: 1, name: "foreign 1.0", kinds: ["operator", "module"] });
      continue;
    }
    runs++;
    // Dies once in a while: the marker is beside the output, so that the next process knows.
    if (mode !== "crash-once" || !existsSync(`${message.output}/../../crashed`)) {
      if (mode === "crash-once") {
        writeFileSync(`${message.output}/../../crashed`, "");
        process.exit(4);
      }
    }
    misbehave();
    if (mode === "garbage") {
      process.stdout.write("{not json\n");
      continue;
    }
    if (mode === "wrong-id") {
      say({ type: "result", id: "another", status: "done" });
      continue;
    }
    if (mode === "bad-status") {
      say({ type: "result", id: message.id, status: "fine" });
      continue;
    }
    const said = run(message.request, message.output) ?? { status: "done", seconds: 0.25 };
    say({ type: "result", id: message.id, ...said, message: said.message ?? `run ${runs}` });
  }
}
