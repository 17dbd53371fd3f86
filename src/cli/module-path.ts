/** Paths of modules as a user types them. */
import { fail } from "../errors.ts";
import { globExpression } from "../glob.ts";
import { suggest } from "./suggest.ts";

/** How {@link checkModulePath} judges. */
export interface ModulePathCheck {
  /** What took the path, for the message: "--layer". */
  readonly where: string;
  /** The paths that there are. */
  readonly paths: readonly string[];
  /** Whether it may be a pattern: * within a part, ** over parts. */
  readonly patterns: boolean;
}

/** Error of code "argument" where a path is none of a module, or a pattern fits none. */
export function checkModulePath(path: string, { where, paths, patterns }: ModulePathCheck): void {
  const fits = patterns ? globExpression(path, ".") : undefined;
  if (fits ? paths.some((one) => fits.test(one)) : paths.includes(path)) return;
  const near = suggest(path, paths);
  fail("argument", where, "a module's path, as layers lists them", path, near && `did you mean ${near}?`);
}
