/** Model configurations: by grammar, from the models' own files, and texts that parsers fear. */
import fc from "fast-check";
import { parseModelConfig } from "../../../src/models/rtdetr/config.ts";
import { mutate } from "../bytes.ts";
import { filesOf } from "../corpora.ts";
import type { Random } from "../random.ts";
import { attempt, type Outcome, outcomeOf, promise, promiseSame, type Target } from "../target.ts";

const utf8 = new TextEncoder();

/** Scalars as YAML text. */
const scalar = fc.constantFrom(
  ...[
    "1",
    "0",
    "-1",
    "-2",
    "80",
    "1.5",
    ".inf",
    "-.inf",
    ".nan",
    "1e999",
    "0x10",
    "0o17",
    "true",
    "False",
    "None",
    "null",
    "~",
    "''",
  ],
  ...[
    "nearest",
    "Conv",
    "nn.Upsample",
    "RepC3",
    "MobileNetV4ConvSmall",
    "nc",
    "https://example.com/m.yaml",
    "!!binary aGk=",
    "!!js/function 'x'",
    "&a 1",
    "*a",
  ],
  ...[
    '"\\u0000"',
    '"\\x"',
    "'it''s'",
    "2001-12-14",
    "1_000",
    "[",
    "{",
    "<<: *a",
    "? a",
    "9007199254740993",
    "\u202e",
    "| \n  text",
    "> \n  text",
  ],
);

const { value: flow } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }).map((items) => `[${items.join(", ")}]`),
    fc
      .array(fc.tuple(scalar, tie("value")), { maxLength: 3 })
      .map((pairs) => `{${pairs.map(([k, v]) => `${k}: ${v}`).join(", ")}}`),
  ),
}));

const layer = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "[-1, 1, Conv, [128, 1, 1]]",
      "[[-1, 2], 1, Concat, [1]]",
      "[-1, 3, RepC3, [128, 0.5]]",
      "[-1, 1, MobileNetV4ConvSmall, []]",
    ),
  },
  { weight: 2, arbitrary: fc.tuple(flow, scalar, scalar, flow).map((four) => `[${four.join(", ")}]`) },
  { weight: 1, arbitrary: flow },
);

const model = fc.record({
  nc: fc.option(fc.oneof({ weight: 3, arbitrary: fc.constant("2") }, scalar), { freq: 8 }),
  names: fc.option(
    fc.oneof(
      fc.constantFrom("[a, b]", "{0: a, 1: b}", "{a: 0}", "{0: a, 0: b}", "[a]", "{'0': a, 1: b}"),
      flow,
    ),
    { freq: 2 },
  ),
  conf: fc.option(fc.oneof(fc.constant("0.3"), scalar), { freq: 2 }),
  scale: fc.option(fc.oneof(fc.constantFrom("l", "''", "x"), scalar), { freq: 2 }),
  scales: fc.option(
    fc.oneof(fc.constantFrom("{l: [1.0, 1.0, 1024]}", "{l: [1, .inf, 3]}", "{}", "{l: [0, 1, 2]}"), flow),
    { freq: 2 },
  ),
  backbone: fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.constant("[-1, 1, MobileNetV4ConvSmall, []]") }, layer),
    { minLength: 0, maxLength: 2 },
  ),
  head: fc.array(layer, { maxLength: 5 }),
  extra: fc.option(
    fc.constantFrom(
      "activation: nn.ReLU",
      "? [a]\n: b",
      "<<: {nc: 3}",
      "__proto__: {nc: 3}",
      "---",
      "...",
      "%YAML 1.2",
      "nc: 3",
      "{[a]: b}: c",
    ),
    { freq: 6 },
  ),
});

function grammar(random: Random): string {
  const [spec] = fc.sample(model, { seed: random.word() | 0, numRuns: 1 });
  const list = (items: readonly string[]): string => items.map((item) => `\n  - ${item}`).join("");
  const lines = Object.entries({
    nc: spec.nc,
    names: spec.names,
    conf: spec.conf,
    scale: spec.scale,
    scales: spec.scales,
  })
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key}: ${value}`);
  lines.push(`backbone:${list(spec.backbone)}`, `head:${list(spec.head)}`);
  if (spec.extra) lines.splice(random.below(lines.length + 1), 0, spec.extra);
  return `${lines.join("\n")}\n`;
}

/** Nesting, aliases and repeats, small enough for a case; the bombs are larger. */
function feared(random: Random): string {
  const times = 1 + random.below(3000);
  const piece = random.pick([
    "[",
    "{",
    "[{a: ",
    "- ",
    "? ",
    "a: ",
    "&a ",
    "!!seq ",
    "'",
    '"',
    "\t",
    "- -\n",
    "#",
    "*a,",
    "!",
    "|\n",
    "a:\n b:\n  ",
  ]);
  const lines = Array.from(
    { length: random.below(12) },
    (_, i) => `${"abcdefghijkl"[i]}: &${"abcdefghijkl"[i]} [${`*${"zabcdefghijk"[i]},`.repeat(9)}]`,
  );
  const indented = Array.from({ length: random.below(300) }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
  return random.pick([
    `nc: ${piece.repeat(times)}`,
    piece.repeat(times),
    lines.join("\n"),
    indented,
    `nc: 2\nhead: ${piece.repeat(times)}`,
  ]);
}

function make(random: Random): Uint8Array {
  const own = random.pick(filesOf("models/", ".yaml"));
  switch (random.below(6)) {
    case 0:
      return mutate(random, own, utf8.encode(grammar(random)));
    case 1:
      return mutate(random, utf8.encode(grammar(random)), own, 1 + random.below(3));
    case 2:
      return random.once(4) ? utf8.encode(feared(random)) : mutate(random, own, own, 1);
    default:
      return utf8.encode(grammar(random));
  }
}

function run(bytes: Uint8Array): Outcome {
  const text = new TextDecoder().decode(bytes);
  const parse = () => attempt(() => parseModelConfig(text, { source: "case.yaml" }));
  const parsed = parse();
  promiseSame("parsed again", parsed, parse(), (a, b) => JSON.stringify(a) === JSON.stringify(b));
  const { value } = parsed;
  if (value) {
    const { nc, names, conf, head, backbone, scale } = value;
    promise(Number.isInteger(nc) && nc >= 1 && nc <= 65536, () => `nc ${nc}`);
    promise(
      names === undefined ||
        (names.length === nc && names.every((name) => typeof name === "string" && name !== "")),
      () => "names",
    );
    promise(conf === undefined || (conf >= 0 && conf < 1), () => `conf ${conf}`);
    promise(scale.depth > 0 && scale.width > 0 && Number.isFinite(scale.depth * scale.width), () => "scale");
    for (const { from, repeats, module, args } of [backbone, ...head]) {
      promise(
        [from].flat().every(Number.isInteger) && Number.isInteger(repeats) && typeof module === "string",
        () => module,
      );
      promise(
        args.every((arg) => arg === null || ["string", "number", "boolean"].includes(typeof arg)),
        () => "arguments",
      );
    }
    const { error } = attempt(() => parseModelConfig(text, { source: "case.yaml", nc: 0 }));
    promise(error?.code === "argument", () => "nc 0 is taken");
  }
  return outcomeOf(parsed);
}

/** Model configurations. */
export const yaml: Target = {
  name: "yaml",
  weight: 9,
  make,
  run,
  memoryBound: (length) => (64 << 20) + 4000 * length,
};
