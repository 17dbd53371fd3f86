/** The lesson: from the picture to the boxes in chapters, each with what to look at. For readers who know what a convolution is. */
import type { Run } from "./client.ts";
import type { State } from "./state.ts";

/** The thing that the lesson follows: the query that is surest, and where its box lies on the picture, in [0, 1]. */
export interface Followed {
  readonly query: number;
  readonly x: number;
  readonly y: number;
  /** Its class. */
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

/** The chapters, for a run of the default network and what was found in it. */
export function chaptersOf(run: Run, { query, x, y, name, score }: Followed): Chapter[] {
  const [height, width] = run.record.imgsz;
  const size = `${height} × ${width}`;
  const queries = run.head.outputs[0]?.shape[1] ?? 0;
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
  const [, , rows = 1, columns = 1] = run.find("model.2")?.outputs[0]?.shape ?? [];
  const token = Math.floor(y * rows) * columns + Math.floor(x * columns);
  const first = "model.0.conv0.convbn_0";
  const uib = "model.0.layer3.uib_0";
  const found = `query ${query}, a ${name} with a score of ${score.toFixed(2)}`;
  return [
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
        `The picture is stretched to ${size} pixels, whatever its shape was, and each pixel becomes three numbers in 0 to 1: red, green, blue. That block, 3 × ${height} × ${width}, is all that the network ever sees.`,
        "Then data runs down this map. A box is a layer; on each line stands the shape of what goes along it: channels × rows × columns. To the right maps get coarser; in the middle they come back and meet, and at the end there are no maps any more but a list of queries.",
      ],
      looks: [
        { text: "The whole way", state: graph("model.0.conv0", "model.0") },
        { text: "Where the work is: coloured by time", state: graph("model.0", "", "seconds") },
        { text: "Where the memory is", state: graph("model.0.conv0", "model.0", "bytes") },
      ],
    },
    {
      title: "One number, from 27",
      paragraphs: [
        "The first layer is a convolution. Each of its output channels has a window of 3 × 3 weights for each colour: 27 numbers that were learned. At each place they are multiplied by the 27 numbers of the picture there, and summed.",
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
      title: "Scale it, bend it",
      paragraphs: [
        "Two small steps follow almost every convolution. The batch norm multiplies each channel by one number and adds another, so that all channels are of a like size.",
        "Then comes a bend: ReLU6 sets what is below 0 to 0, and what is above 6 to 6. Without a bend somewhere, a hundred convolutions in a row would be no more than one. With it, a cell can say: this pattern is here, or it is not.",
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
      title: "Coarser, and deeper",
      paragraphs: [
        "Again and again: windows over the maps of the layer before, half the rows and columns, more channels. This is the backbone, MobileNetV4. Its first maps still look like the picture. Its last ones have a cell for every 32 × 32 pixels, and what they say is hard to put in words: a cell lights up where something like a corner of a label is, or text, or a code's bars.",
        "Look from stage to stage at the place of our box.",
      ],
      looks: [
        { text: "Stride 4: lines and edges", state: at("model.0.layer1", { order: "variance" }) },
        { text: "Stride 8: textures", state: at("model.0.layer2", { order: "variance" }) },
        { text: "Stride 16: parts", state: at("model.0.layer3", { order: "variance" }) },
        { text: "Stride 32: few cells, many channels", state: at("model.0.layer4", { order: "variance" }) },
      ],
    },
    {
      title: "What a cell can see",
      paragraphs: [
        "A cell of the first layer depends on 3 × 3 pixels and on no others: its receptive field. A cell of the next depends on 3 × 3 such cells, so on 7 × 7 pixels. Strides and windows multiply up: where layers are deep, the field is as large as the picture.",
        "The last picture below the summands shows the field of the cell that is chosen. What lies outside cannot change it, not by a bit. (What lies inside can, but mostly its middle does.)",
      ],
      looks: [
        { text: "Stride 4: 7 × 7 pixels", state: at("model.0.layer1") },
        { text: "Stride 8: 15 × 15", state: at("model.0.layer2") },
        { text: "Stride 16: a good part of the picture", state: at("model.0.layer3") },
      ],
    },
    {
      title: "Why it is cheap",
      paragraphs: [
        "A dense convolution mixes all channels over all places of its window at once, which is dear. A mobile network does it in turns: a depthwise convolution looks around within each channel by itself, a 1 × 1 convolution mixes the channels of each place. In between the block has more channels than at its ends: an inverted bottleneck.",
        "Unfold the block and compare the multiply-adds: nearly all of them are in the two 1 × 1 convolutions, although it is the small depthwise ones that look around.",
      ],
      looks: [
        { text: "A block, unfolded", state: graph(`${uib}._middle_dw`, `model.0~model.0.layer3~${uib}`) },
        { text: "A depthwise sum: 9 summands, all of one channel", state: at(`${uib}._middle_dw.conv`) },
        { text: "A 1 × 1 sum: one place, all channels", state: at(`${uib}._expand_conv.conv`) },
      ],
    },
    {
      title: "Every place asks every place",
      paragraphs: [
        `The coarsest map has only ${rows} × ${columns} cells, few enough that each may look at all others: attention. A cell sends a question (query), every cell has a label (key) and a message (value). Where question and label fit, the message is taken: y = softmax(q · k / √d) · v, in 8 heads with questions of their own.`,
        "Click anywhere on the picture: from that place, what does the network look at? A head often has an interest of its own: the same row, things of the same kind, the border.",
      ],
      looks: [
        {
          text: "From our box, the mean of the heads",
          state: { view: "attention", attention: "model.2.ma", head: -1, token },
        },
        { text: "One head alone", state: { view: "attention", attention: "model.2.ma", head: 3, token } },
        { text: "The parts of the layer", state: graph("model.2.ma", "model.2") },
      ],
    },
    {
      title: "Three sizes meet",
      paragraphs: [
        "Coarse maps know what things are, fine ones know where. So the coarse map is made larger (each number repeated), put beside the finer one, and mixed; twice up, and then twice down again. Small things are found on the fine map, large ones on the coarse.",
        "The maps at the end of that way, of strides 8, 16 and 32, are all that the decoder reads.",
      ],
      looks: [
        { text: "Up and down again on the map", state: graph("model.12", "") },
        { text: "Enlarged: blocks of 2 × 2 equal numbers", state: at("model.4") },
        { text: "The fine map, after it was mixed", state: at("model.12", { order: "variance" }) },
        { text: "The coarse one", state: at("model.18", { order: "variance" }) },
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
      title: "A query looks around",
      paragraphs: [
        "A query begins as its token, with a guess of a box. In each of the three decoder layers it reads the maps, but not everywhere: it chooses 4 points on each of 3 maps for each of 8 heads, 96 in all, and how much each of them counts. That is deformable attention.",
        "See where the points lie: at edges and corners, for these say where a box ends. Blue is the fine map, yellow the middle one, orange the coarse one; the size is the weight.",
      ],
      looks: [
        { text: "The first look around", state: boxes({ query, stage: 1 }) },
        { text: "The last one", state: boxes({ query, stage: 3 }) },
        {
          text: "The layer's parts",
          state: graph("model.19.decoder.layers.0.cross_attn", "model.19~model.19.decoder.layers.0"),
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
            attention: "model.19.decoder.layers.2.self_attn",
            head: -1,
            token: query,
          },
        },
      ],
    },
    {
      title: "Back to the pixels",
      paragraphs: [
        "Every number has its arithmetic, so a score can be followed back. Begin at the output, whose columns 4 and up are class scores: a sigmoid of a number of the last score head, which is a sum of 128 products, each with a number of the query that came out of the decoder.",
        "Click a summand's input: it leads to the layer that made it, and its own sum. Where a number was made by a part within, a link leads on. It is the same arithmetic all the way down to the 27 products of the first layer.",
      ],
      looks: [
        {
          text: "The scores of our query",
          state: { view: "maps", layer: "model.19", turn: 1, output: 0, plane: 0, cell: [query, 4] },
        },
        {
          text: "The sum behind one of them",
          state: {
            view: "maps",
            layer: "model.19.dec_score_head.2",
            turn: 1,
            output: 0,
            plane: 0,
            cell: [query, 0],
          },
        },
        {
          text: "The last number of the decoder",
          state: {
            view: "maps",
            layer: "model.19.decoder.layers.2",
            turn: 1,
            output: 0,
            plane: 0,
            cell: [query, 0],
          },
        },
      ],
    },
    {
      title: "Is it the same elsewhere?",
      paragraphs: [
        "PyTorch, or a port to another language, should give the same numbers, up to the rounding of sums in another order: one part in a hundred thousand or so. Where a port is wrong, its numbers part at one layer, and all after it are wrong as well. So one looks for the first.",
        "Open a trace of PyTorch's or of your own program's, or another picture, and see where the two part, and how far. Some layers of this network are odd and were trained so; their cards say it. These are where ports go wrong most often.",
        "That was all of it: a stretched picture, some hundred sums and bends, three choices, and a box. Now open a picture of your own.",
      ],
      looks: [
        { text: "Compare", state: { view: "compare" } },
        { text: "An odd layer: a bottleneck without its shortcut", state: layer(uib) },
        { text: "Back to the boxes", state: boxes() },
      ],
    },
  ];
}
