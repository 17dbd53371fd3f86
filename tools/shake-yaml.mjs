/**
 * For esbuild: of js-yaml what is used. It is one module that makes schemas, tags and patterns while it is loaded. A bundler must
 * take that for effects and keep it all, though the parser of events needs little of it; here it is told that there are none.
 */
import { readFile } from "node:fs/promises";

/** A variable of the module, to the end of what it is set to; lines that belong to it are indented or begin with a bracket. */
const VARIABLE = /^var (\w+) = (.*(?:\n[\t\]})].*)*);$/gm;

/** The plugin. */
export const shakeYaml = {
  name: "shake-yaml",
  setup(bundling) {
    bundling.onLoad({ filter: /[\\/]js-yaml[\\/]dist[\\/]js-yaml\.mjs$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text.replace(VARIABLE, "var $1 = /* @__PURE__ */ (() => ($2))();");
      if (contents === text) throw new Error(`${path}: expected variables, a line each or indented`);
      return { contents };
    });
  },
};
