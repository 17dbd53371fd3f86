/** Base64 as data is embedded in browser builds: decoded once, on the thread that uses it. Knows no URL-safe alphabet. */

/** The bytes of a base64 text, without white space. Throws a SyntaxError, or a DOMException, for what is none. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64 } = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> };
  if (fromBase64) return fromBase64.call(Uint8Array, text); // ES2026: ten times as fast
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
