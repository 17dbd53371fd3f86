/**
 * Text from outside (file names, class names, metadata) made harmless for a terminal: control characters would move the
 * cursor or retitle the window, line separators and bidirectional marks would show something else than is there.
 */

/** Control characters, lone halves of surrogate pairs, line separators, marks that change the direction of writing. */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** What JSON.stringify leaves as it is though terminals may not: DEL, C1 controls, separators, direction marks. */
const UNSAFE_IN_JSON = /[\x7f-\x9f\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** The text on one line, its unsafe characters written as `\x1b` or `\u202e`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return code <= 0xff ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
  });
}

/** As {@link printable}, but line breaks stay and what follows them is indented, so that no line looks like a new message. */
export function printableLines(text: string): string {
  return text
    .split("\n")
    .map(printable)
    .map((line, i) => (i === 0 || line.startsWith(" ") ? line : `  ${line}`))
    .join("\n");
}

/** JSON on one line, without any character that a terminal could take for a command; the same value when parsed. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE_IN_JSON, (c) => `\\u${hex(c.charCodeAt(0), 4)}`);
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
