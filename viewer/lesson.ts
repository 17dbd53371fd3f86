/** The lesson: from the picture to the boxes in chapters, each with what to look at. For readers who know what a convolution is. */
import type { Run } from "./client.ts";
import type { CallRecord } from "./protocol.ts";
import type { State } from "./state.ts";

/** The thing that the lesson follows: the query that is surest, and where its box lies on the picture, in [0, 1]. */
export interface Followed {
  readonly query: number;
  readonly x: number;
  readonly y: number;
  /** Its class. */
  readonly classId: number;
  readonly name: string;
  readonly score: number;
}

/** Something to look at. */
export interface Look {
  readonly text: string;
  readonly state: Partial<State>;
}

/** A chapter. Its first look is shown when it is opened. */
export interface Chapter {
  readonly title: string;
  readonly paragraphs: readonly string[];
  readonly looks: readonly Look[];
}

/** The chapters, for a run and what was found in it: those whose layers the network has. */
export function chaptersOf(run: Run, { query, x, y, classId, name, score }: Followed): Chapter[] {
  const { calls } = run.record;
  const [height, width] = run.record.imgsz;
  const size = `${height} × ${width}`;
  const of = (kind: string): CallRecord[] => calls.filter((call) => call.kind === kind);
  const queries = run.head.outputs[0]?.shape[1] ?? 0;
  const head = run.head.path;
  const backbone = calls.find(({ kind }) => kind.startsWith("MobileNetV4"))?.path ?? "";
  const aifi = of("AIFI")[0];
  const maps = run.head.inputs.map((ref) => run.producer(ref)?.path ?? "");
  const [fine, coarse] = [maps[0] ?? "", maps.at(-1) ?? ""];
  const layers = [...new Set(of("DeformableTransformerDecoderLayer").map(({ path }) => path))];
  const last = layers.at(-1) ?? "";
  const scoreHead = calls.filter(({ path }) => path.startsWith(`${head}.dec_score_head.`)).at(-1);
  const upsample = of("Upsample")[0]?.path ?? "";
  /** The last axis of a layer's weights is what it sums over. */
  const inputs = (call: CallRecord | undefined): number =>
    call?.parameters
      .find((one) => one.name === "weight")
      ?.shape.slice(1)
      .reduce((n, side) => n * side, 1) ?? 0;
  const conv = of("Conv2d")[0];
  const first = conv?.path.replace(/\.conv$/, "") ?? "";
  const bend = calls.find(({ path }) => path === `${first}.Activation`);
  const norm = calls.find(({ path }) => path === `${first}.BatchNorm2d`);
  /** A block that is whole: it looks around, widens and narrows down. */
  const uib = of("UIB").find(
    ({ path }) => run.find(`${path}._middle_dw.conv`) && run.find(`${path}._expand_conv.conv`),
  );
  const block = uib?.path ?? "";
  const middle = run.find(`${block}._middle_dw.conv`);
  const within = calls.filter(({ path, kind }) => kind === "Conv2d" && path.startsWith(`${block}.`));
  const pointwise = within.filter((call) => inputs(call) > 1 && /_(expand|proj)_conv/.test(call.path));
  const amount = (list: readonly CallRecord[]): number =>
    list.reduce((sum, call) => sum + call.multiplyAdds, 0);
  const share = Math.round((100 * amount(pointwise)) / Math.max(1, amount(within)));
  const mixed = calls.filter(({ path, kind }) => kind === "Conv2d" && path.startsWith(`${backbone}.`));
  const bends = calls.filter(({ path, kind }) => /^ReLU/.test(kind) && path.startsWith(`${backbone}.`));
  /** A layer's view at the cell under the thing. */
  const at = (layer: string, state: Partial<State> = {}): Partial<State> => {
    const [, , rows = 1, columns = 1] = run.find(layer)?.outputs[0]?.shape ?? [];
    const cell = [
      Math.min(rows - 1, Math.floor(y * rows)),
      Math.min(columns - 1, Math.floor(x * columns)),
    ] as const;
    return { view: "maps", layer, turn: 1, output: 0, plane: 0, cell, order: "index", ...state };
  };
  const layer = (path: string): Partial<State> => ({ view: "layer", layer: path, turn: 1, cell: undefined });
  const graph = (path: string, open: string, bar: State["bar"] = "multiplyAdds"): Partial<State> => ({
    view: "graph",
    layer: path,
    turn: 1,
    open,
    bar,
  });
  const boxes = (state: Partial<State> = {}): Partial<State> => ({
    view: "boxes",
    query: -1,
    stage: 99,
    threshold: 0.4,
    ...state,
  });
  const cellOf = (path: string, column: number): Partial<State> => ({
    view: "maps",
    layer: path,
    turn: 1,
    output: 0,
    plane: 0,
    cell: [query, column],
  });
  const [, , rows = 1, columns = 1] = aifi?.outputs[0]?.shape ?? [];
  const token = Math.floor(y * rows) * columns + Math.floor(x * columns);
  const ma = calls.find(({ path }) => aifi && path === `${aifi.path}.ma`);
  const heads = ma?.values[0]?.shape[1] ?? 0;
  const found = `query ${query}, a ${name} with a score of ${score.toFixed(2)}`;
  const stage = (n: number): string => `${backbone}.layer${n}`;
  const has = (...paths: readonly string[]): boolean => paths.every((path) => run.find(path) !== undefined);
  const chapters: (Chapter & { readonly needs?: boolean })[] = [
    {
      title: "What it says",
      paragraphs: [
        `The network was given one picture and said: here are boxes, each with a class and a score. Nothing else was told to it. This lesson follows one of them, ${found}, back to the pixels and forth again.`,
        "Everything you will see is being computed on this device, by the same code that finds the boxes. No number is a drawing: you can point at each and ask where it comes from.",
      ],
      looks: [
        { text: "The boxes that score above 0.4", state: boxes() },
        {
          text: "Everything, even what it hardly believes: a threshold of 0.02",
          state: boxes({ threshold: 0.02 }),
        },
        { text: "The one that we follow", state: boxes({ query }) },
      ],
    },
    {
      title: "A picture is numbers",
      paragraphs: [
        `The picture is brought to ${size} pixels, whatever its shape was, and each pixel becomes three numbers in 0 to 1: red, green, blue. That block, 3 × ${height} × ${width}, is all that the network ever sees.`,
        "Then data runs down this map. A box is a layer; on each line stands the shape of what goes along it: channels × rows × columns. To the right maps get coarser; in the middle they come back and meet, and at the end there are no maps any more but a list of queries.",
      ],
      looks: [
        { text: "The whole way", state: graph(`${backbone}.conv0`, backbone) },
        { text: "Where the work is: coloured by time", state: graph(backbone, "", "seconds") },
        { text: "Where the memory is", state: graph(`${backbone}.conv0`, backbone, "bytes") },
      ],
    },
    {
      needs: conv !== undefined,
      title: `One number, from ${inputs(conv)}`,
      paragraphs: [
        `The first layer is a convolution. Each of its output channels has a window of weights for each colour: ${inputs(conv)} numbers that were learned. At each place they are multiplied by as many numbers of the picture there, and summed.`,
        "Below the large map stands that sum for one cell, the greatest summands first. Click another cell and it is another sum of the same weights: bright where the picture looks like the window, dark where it looks like its opposite.",
        "It moves by two pixels at a time, so that its map has half the rows and columns.",
      ],
      looks: [
        { text: "The sum behind one cell", state: at(`${first}.conv`) },
        { text: "Channels that vary most come first", state: at(`${first}.conv`, { order: "variance" }) },
        { text: "The windows themselves: edges, colours, spots", state: layer(`${first}.conv`) },
      ],
    },
    {
      needs: norm !== undefined && bend !== undefined,
      title: "Scale it, bend it",
      paragraphs: [
        "A batch norm follows every convolution of the backbone: it multiplies each channel by one number and adds another, so that all channels are of a like size.",
        `Behind ${bends.length} of the ${mixed.length} comes a bend: ReLU6 sets what is below 0 to 0, and what is above 6 to 6. Without bends, all these convolutions in a row would be no more than one. With them, a cell can say: this pattern is here, or it is not. (Behind the others there is none, on purpose: where a block narrows down, a bend would lose too much. Ports like to put one there.)`,
      ],
      looks: [
        { text: "The batch norm of that cell", state: at(`${first}.BatchNorm2d`) },
        {
          text: "And its bend: see how much of the map is dark, exactly 0",
          state: at(`${first}.Activation`),
        },
        { text: "A histogram with a great bin at 0", state: layer(`${first}.Activation`) },
      ],
    },
    {
      needs: has(stage(1), stage(2), stage(3), stage(4)),
      title: "Coarser, and deeper",
      paragraphs: [
        "Again and again: windows over the maps of the layer before, half the rows and columns, more channels. This is the backbone, MobileNetV4. Its first maps still look like the picture. Its last ones have a cell for every 32 × 32 pixels, and what they say is hard to put in words: a cell lights up where something like a corner of a label is, or text, or a code's bars.",
        "Look from stage to stage at the place of our box.",
      ],
      looks: [
        { text: "Stride 4: lines and edges", state: at(stage(1), { order: "variance" }) },
        { text: "Stride 8: textures", state: at(stage(2), { order: "variance" }) },
        { text: "Stride 16: parts", state: at(stage(3), { order: "variance" }) },
        { text: "Stride 32: few cells, many channels", state: at(stage(4), { order: "variance" }) },
      ],
    },
    {
      needs: has(stage(1), stage(2), stage(3)),
      title: "What a cell can see",
      paragraphs: [
        "A cell of the first layer depends on 3 × 3 pixels and on no others: its receptive field. A cell of the next depends on 3 × 3 such cells, so on 7 × 7 pixels. Strides and windows multiply up: where layers are deep, the field is as large as the picture.",
        "The last picture below the summands shows the field of the cell that is chosen. What lies outside cannot change it, not by a bit. (What lies inside can, but mostly its middle does.)",
      ],
      looks: [
        { text: "Stride 4: 7 × 7 pixels", state: at(stage(1)) },
        { text: "Stride 8: 15 × 15", state: at(stage(2)) },
        { text: "Stride 16: a good part of the picture", state: at(stage(3)) },
      ],
    },
    {
      needs: uib !== undefined,
      title: "Why it is cheap",
      paragraphs: [
        "A dense convolution mixes all channels over all places of its window at once, which is dear. A mobile network does it in turns: a depthwise convolution looks around within each channel by itself, a 1 × 1 convolution mixes the channels of each place. In between the block has more channels than at its ends: an inverted bottleneck.",
        `Unfold the block and compare the multiply-adds: ${share} % of them are in the two 1 × 1 convolutions, although it is the small depthwise ones that look around.`,
      ],
      looks: [
        {
          text: "A block, unfolded",
          state: graph(`${block}._middle_dw`, [backbone, block.replace(/\.[^.]+$/, ""), block].join("~")),
        },
        {
          text: `A depthwise sum: ${inputs(middle)} weights, all of one channel`,
          state: at(`${block}._middle_dw.conv`),
        },
        { text: "A 1 × 1 sum: one place, all channels", state: at(`${block}._expand_conv.conv`) },
      ],
    },
    {
      needs: ma !== undefined,
      title: "Every place asks every place",
      paragraphs: [
        `The coarsest map has only ${rows} × ${columns} cells, few enough that each may look at all others: attention. A cell sends a question (query), every cell has a label (key) and a message (value). Where question and label fit, the message is taken: y = softmax(q · k / √d) · v, in ${heads} heads with questions of their own.`,
        "Click anywhere on the picture: from that place, what does the network look at? A head often has an interest of its own: the same row, things of the same kind, the border.",
      ],
      looks: [
        {
          text: "From our box, the mean of the heads",
          state: { view: "attention", attention: ma?.path ?? "", head: -1, token },
        },
        {
          text: "One head alone",
          state: { view: "attention", attention: ma?.path ?? "", head: Math.min(3, heads - 1), token },
        },
        { text: "The parts of the layer", state: graph(ma?.path ?? "", aifi?.path ?? "") },
      ],
    },
    {
      needs: has(fine, coarse, upsample),
      title: "Three sizes meet",
      paragraphs: [
        "Coarse maps know what things are, fine ones know where. So the coarse map is made larger (each number repeated), put beside the finer one, and mixed; twice up, and then twice down again. Small things are found on the fine map, large ones on the coarse.",
        "The maps at the end of that way, of strides 8, 16 and 32, are all that the decoder reads.",
      ],
      looks: [
        { text: "Up and down again on the map", state: graph(fine, "") },
        { text: "Enlarged: blocks of 2 × 2 equal numbers", state: at(upsample) },
        { text: "The fine map, after it was mixed", state: at(fine, { order: "variance" }) },
        { text: "The coarse one", state: at(coarse, { order: "variance" }) },
      ],
    },
    {
      title: "Where might something be?",
      paragraphs: [
        `Every cell of the three maps is now a token with a score: how much does this look like the middle of something? The ${queries} tokens with the best scores become queries. The others are never asked again.`,
        `The discs are those that were taken. Most of them crowd around real things, many for one thing; the rest is there because ${queries} had to be taken. Mind the margin: where the last that was taken and the first that was not are very near, a difference in rounding can exchange them, and both programs are right.`,
      ],
      looks: [
        { text: "Scores and choices; ours is red", state: { view: "queries", query } },
        { text: "The best of all", state: { view: "queries", query: 0 } },
      ],
    },
    {
      needs: layers.length > 0,
      title: "A query looks around",
      paragraphs: [
        `A query begins as its token, with a guess of a box. In each of the ${layers.length} decoder layers it reads the maps, but not everywhere: it chooses 4 points on each of 3 maps for each of 8 heads, 96 in all, and how much each of them counts. That is deformable attention.`,
        "See where the points lie: at edges and corners, for these say where a box ends. Blue is the fine map, yellow the middle one, orange the coarse one; the size is the weight.",
      ],
      looks: [
        { text: "The first look around", state: boxes({ query, stage: 1 }) },
        { text: "The last one", state: boxes({ query, stage: layers.length }) },
        {
          text: "The layer's parts",
          state: graph(`${layers[0]}.cross_attn`, [head, layers[0]].join("~")),
        },
      ],
    },
    {
      title: "Step by step to the box",
      paragraphs: [
        "After each layer the query moves its box a little: dashed lines are the boxes before. In between, all queries talk with each other, by attention once more: of many queries for one thing one must win, for nothing is removed afterwards. This network needs no non-maximum suppression.",
        "Move the slider over the layers, and the threshold, and see who stays.",
      ],
      looks: [
        { text: "As it was selected", state: boxes({ query, stage: 0 }) },
        { text: "At the end", state: boxes({ query, stage: 99 }) },
        {
          text: "To whom our query listens",
          state: {
            view: "attention",
            attention: `${last}.self_attn`,
            head: -1,
            token: query,
          },
        },
      ],
    },
    {
      needs: scoreHead !== undefined,
      title: "Back to the pixels",
      paragraphs: [
        `Every number has its arithmetic, so a score can be followed back. Begin at the output, whose columns 4 and up are class scores: a sigmoid of a number of the last score head, which is a sum of ${inputs(scoreHead)} products, each with a number of the query that came out of the decoder.`,
        "Click a summand's input: it leads to the layer that made it, and its own sum. Where a number was made by a part within, a link leads on. It is the same arithmetic all the way down to the products of the first layer.",
      ],
      looks: [
        { text: `The score of our query for ${name}`, state: cellOf(head, 4 + classId) },
        { text: "The sum behind it", state: cellOf(scoreHead?.path ?? "", classId) },
        { text: "A number of the query, as it left the decoder", state: cellOf(last, 0) },
      ],
    },
    {
      title: "Is it the same elsewhere?",
      paragraphs: [
        "PyTorch, or a port to another language, should give the same numbers, up to the rounding of sums in another order: one part in a hundred thousand or so. Where a port is wrong, its numbers part at one layer, and all after it are wrong as well. So one looks for the first.",
        "Open a trace of PyTorch's or of your own program's, or another picture, and see where the two part, and how far. Some layers of this network are odd and were trained so; their cards say it. These are where ports go wrong most often.",
        "That was all of it: a stretched picture, some hundred sums and bends, one choice of queries, and boxes that are moved. Now open a picture of your own.",
      ],
      looks: [
        { text: "Compare", state: { view: "compare" } },
        { text: "An odd layer: a bottleneck without its shortcut", state: layer(block) },
        { text: "Back to the boxes", state: boxes() },
      ],
    },
  ];
  return chapters.filter(({ needs = true }) => needs);
}
