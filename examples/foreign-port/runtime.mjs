/**
 * Lets the conformance kit speak to the port: JSON, a line a message (docs/conformance-protocol.md).
 *
 *   mobiledetr conform run --protocol jsonl -- node examples/foreign-port/runtime.mjs [--mistake tail|pair]
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import * as port from "./port.mjs";
import { read, write } from "./safetensors.mjs";

const { mistake } = parseArgs({ options: { mistake: { type: "string" } } }).values;
if (mistake !== undefined && !(mistake in port.mistakes)) {
  console.error(`--mistake: expected ${Object.keys(port.mistakes).join(", ")}, got ${mistake}`);
  process.exit(2);
}
if (mistake !== undefined) port.mistakes[mistake] = true;

class Unsupported extends Error {}

const OPERATORS = {
  conv2d: ({ input, weight, bias }, attributes) => port.conv2d(input, weight, bias, attributes),
  batch_norm: ({ input, ...vectors }, { eps }) => port.batchNorm(input, vectors, eps),
  relu: ({ input }) => port.relu(input),
  relu6: ({ input }) => port.relu6(input),
};

/** Classes by the kit's names, from the kit's arguments. */
const MODULES = {
  Conv2d: (a) => port.conv(a),
  BatchNorm2d: () => port.norm(),
  ReLU6: () => port.relu6,
  ConvBlock: ({ k, stride, groups, norm, act }) => port.convBlock({ k, stride, groups, bn: norm, act }),
  FusedIB: (a) => port.fusedIB(a),
  UIB: (a) => port.uib(a),
};

/** Only this backbone was ported, alone or within a detector. */
function stagesOf({ variant }) {
  if (variant !== "MobileNetV4ConvSmall") throw new Unsupported(`model ${variant ?? "of another kind"}`);
  return Object.entries(port.MOBILENETV4_CONV_SMALL);
}

/** What is there by this name, or the way to say that there is nothing. */
function known(table, name, what) {
  if (!Object.hasOwn(table, name)) throw new Unsupported(`${what} ${name}`);
  return table[name];
}

/** What computes a subject: a function of its inputs and parameters, to tensors by name. */
function programOf(subject) {
  switch (subject.kind) {
    case "operator": {
      const operator = known(OPERATORS, subject.name, "operator");
      return (inputs) => ({ output: operator(inputs, subject.attributes) });
    }
    case "module": {
      const { bn_eps, eps = 1e-5 } = subject.arguments;
      const module = known(MODULES, subject.name, "module")(subject.arguments);
      return ({ input }, parameters) => {
        const at = new port.Place(parameters, bn_eps ?? eps);
        const output = module(input, at);
        return { ...at.book, output };
      };
    }
    case "stage": {
      const stages = stagesOf(subject.model);
      const names = stages.map(([name]) => `model.0.${name}`);
      const [first, last] = [names.indexOf(subject.first), names.indexOf(subject.last)];
      if (first < 0 || last < first) throw new Unsupported(`layers ${subject.first} to ${subject.last}`);
      return (inputs, parameters) => {
        const at = new port.Place(parameters, 1e-3, "model.0"); // eps within a detector
        port.chain(Object.fromEntries(stages.slice(first, last + 1)))(Object.values(inputs)[0], at);
        return at.book;
      };
    }
    case "model": {
      if (subject.model.yaml !== undefined) throw new Unsupported("detectors");
      const stages = stagesOf(subject.model).filter(([name]) => name !== "layer5");
      return ({ images }, parameters) => {
        const at = new port.Place(parameters, 1e-5); // eps of a backbone alone
        port.chain(Object.fromEntries(stages))(images, at);
        const maps = [1, 2, 3, 4].map((i) => [`stride${2 << i}`, at.book[`layer${i}`]]);
        return { ...at.book, ...Object.fromEntries(maps) };
      };
    }
    default:
      throw new Unsupported(`subjects of kind ${subject.kind}`);
  }
}

/** Answers a request; what is to be said of it. */
function run({ request, output }) {
  const { subject, outputs } = JSON.parse(readFileSync(join(request, "request.json"), "utf8"));
  try {
    const program = programOf(subject);
    const [inputs, parameters] = ["inputs", "parameters"].map((name) =>
      read(join(request, `${name}.safetensors`)),
    );
    const start = performance.now();
    const results = program(inputs, parameters);
    const seconds = (performance.now() - start) / 1000;
    const wanted = Object.entries(results).filter(([name]) => outputs.includes(name));
    write(join(output, "outputs.safetensors"), Object.fromEntries(wanted));
    return { status: "done", seconds };
  } catch (error) {
    return { status: error instanceof Unsupported ? "unsupported" : "failed", message: error.message };
  }
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.type === "shutdown") break;
  if (message.type === "hello") say({ type: "hello", protocol: 1, name: "foreign-port" });
  if (message.type === "run") say({ type: "result", id: message.id, ...run(message) });
}
