/** A contender that speaks the benchmark's protocol and computes nothing: what it does is said by its case.json. */
import { serve } from "../../bench/contenders/serve.mjs";

await serve(async ({ case: { mood, length }, shape, input }) => {
  console.log("a runtime's chatter, which is not part of the protocol");
  if (mood === "refuses") throw new Error("no such model");
  let runs = 0;
  return {
    name: "fake",
    version: shape.join("x"),
    run: async () => {
      if (mood === "dies" && runs++ > 0) process.exit(3);
      return Float32Array.from({ length }, (_, i) => input[i % input.length]);
    },
    close: async () => {},
  };
});
