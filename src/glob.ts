/** Patterns for names of tensors and cases. Not for files: no braces, no character classes, no hidden names. */

/**
 * Whether all of `name` fits `pattern`. `*` stands for any characters but `separator`, `**` for any at all, `?` for one that
 * is not `separator`; where `**` stands between separators, or first, or last, it also stands for no part at all
 * ("a.**" fits "a", "**.b" fits "b"). Everything else stands for itself.
 */
export function matchesGlob(pattern: string, name: string, separator: "." | "/"): boolean {
  return globExpression(pattern, separator).test(name);
}

/** {@link matchesGlob} as a regular expression, for many names. */
export function globExpression(pattern: string, separator: "." | "/"): RegExp {
  const s = separator === "." ? "\\." : "/";
  let text = "";
  for (let i = 0; i < pattern.length; ) {
    const first = i === 0;
    if (first && pattern.startsWith(`**${separator}`)) {
      text += `(?:.*${s})?`;
      i += 3;
    } else if (pattern.startsWith(`${separator}**${separator}`, i)) {
      text += `${s}(?:.*${s})?`;
      i += 4;
    } else if (i > 0 && pattern.slice(i) === `${separator}**`) {
      text += `(?:${s}.*)?`;
      i += 3;
    } else if (pattern.startsWith("**", i)) {
      text += ".*";
      i += 2;
    } else {
      const c = pattern[i];
      text += c === "*" ? `[^${s}]*` : c === "?" ? `[^${s}]` : c.replace(/[\\^$.|+()[\]{}]/, "\\$&");
      i++;
    }
  }
  return new RegExp(`^${text}$`, "s");
}
