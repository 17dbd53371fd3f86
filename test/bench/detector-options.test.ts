import { expect, test } from "vitest";
import { MODELS, readOptions } from "../../bench/detector-options.ts";

test("without arguments: ConvSmall at 640, 1 and 2 threads, both peers, this Node", () => {
  const options = readOptions([]);
  expect(options.cases).toEqual([{ model: "MobileNetV4ConvSmall", size: 640 }]);
  expect(options.threads).toEqual([1, 2]);
  expect(options.peers).toEqual(["ort-web", "ort-node"]);
  expect(options.engines).toEqual([{ node: process.execPath, revectorize: false }]);
  expect([options.rounds, options.warmup, options.cold, options.coldSize]).toEqual([15, 5, 3, undefined]);
  expect(options.picture).toMatch(/wall\.jpg$/);
});

test("--all is every network at 640 and two at the other sizes, cold starts at 640", () => {
  const { cases, coldSize } = readOptions(["--all"]);
  expect(cases.filter(({ size }) => size === 640).map(({ model }) => model)).toEqual([...MODELS]);
  const others = cases.filter(({ size }) => size !== 640);
  expect(others.length).toBe(6);
  expect(new Set(others.map(({ size }) => size))).toEqual(new Set([320, 960, 1280]));
  expect(coldSize).toBe(640);
});

test("every variant goes with every size", () => {
  const { cases } = readOptions(["--variant", "codes,A", "--sizes", "320,640"]);
  expect(cases.map(({ model, size }) => `${model}.${size}`)).toEqual([
    "codes.320",
    "codes.640",
    "A.320",
    "A.640",
  ]);
});

test("several Nodes, of which one with 256-bit vectors, or all of them", () => {
  expect(readOptions(["--node", "/a/node,/b/node,/b/node+revectorize"]).engines).toEqual([
    { node: "/a/node", revectorize: false },
    { node: "/b/node", revectorize: false },
    { node: "/b/node", revectorize: true },
  ]);
  expect(readOptions(["--node", "a,b", "--revectorize"]).engines.map((e) => e.revectorize)).toEqual([
    true,
    true,
  ]);
});

test("--quick does less, but what is given holds", () => {
  const { rounds, warmup, cold } = readOptions(["--quick", "--cold", "4"]);
  expect([rounds, warmup, cold]).toEqual([5, 2, 4]);
});

test("an empty --picture leaves first boxes out", () => {
  expect(readOptions(["--picture", ""]).picture).toBeUndefined();
});

test.each([
  [["--all", "--sizes", "320"], /--all: expected no --variant and no --sizes/],
  [["--resume"], /--resume: expected --json FILE/],
  [["--peers", "mobiledetr"], /--peers: expected some of ort-web, ort-node/],
  [["--sizes", "640,big"], /--sizes: expected a whole number >= 1, got "big"/],
  [["--node", ","], /--node: expected paths of Node/],
  [["--rounds", "0"], /--rounds/],
  [["--nonsense"], /nonsense/],
])("%j is refused", (args, message) => {
  expect(() => readOptions(args)).toThrow(message);
});
