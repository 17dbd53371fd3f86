/** Where a script lies that a thread or a process of its own runs. */
import { existsSync } from "node:fs";
import { fail } from "../../errors.ts";

/**
 * The script at a URL beside the module that asks; from the sources the built one, because Node 20 cannot run a .ts file.
 * Error of code "file" where that is not there.
 */
export function builtScript(url: URL): URL {
  if (import.meta.url.endsWith(".js")) return url;
  const root = new URL("../../../", import.meta.url);
  const built = new URL(`dist/${url.href.slice(`${root.href}src/`.length)}`, root);
  if (!existsSync(built)) fail("file", "mobiledetr", built.pathname, "no such file", "run `npm run build`");
  return built;
}
