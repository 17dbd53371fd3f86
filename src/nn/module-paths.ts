/** Where modules hang in a network. */
import type { AnyModule } from "./module.ts";

/** Every module below `model`, itself ("") included, by its path; of one that hangs in several places the first. */
export function modulePaths(model: AnyModule): ReadonlyMap<AnyModule, string> {
  const paths = new Map<AnyModule, string>();
  for (const [path, module] of model.namedModules()) if (!paths.has(module)) paths.set(module, path);
  return paths;
}
