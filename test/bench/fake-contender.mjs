/** A contender that speaks the benchmark's protocol and computes nothing: what it does is said by its case.json. */
import { serve } from "../../bench/contenders/serve.mjs";

await serve(async ({ case: { mood, length } = {}, operator, shape, input }) => {
  console.log("a runtime's chatter, which is not part of the protocol");
  if (mood === "refuses") throw new Error("no such model");
  let runs = 0;
  if (operator) {
    return {
      name: "fake",
      version: operator.name,
      run: () => void runs++,
      output: () => Float32Array.of(runs),
      close: () => {},
    };
  }
  return {
    name: "fake",
    version: input ? shape.join("x") : `${shape.join("x")}, no input`,
    detect: (path) => [{ box: [1, 2, 3, 4], score: 0.5, class: 0, name: path }],
    run: async () => {
      if (mood === "dies" && runs++ > 0) process.exit(3);
      return Float32Array.from({ length }, (_, i) => input[i % input.length]);
    },
    close: async () => {},
  };
});
