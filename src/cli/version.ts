/** The package's own version. */
import { readFileSync } from "node:fs";

/** As package.json has it: "1.2.3". */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
