/**
 * A picture from a URL that the user named: of http and https alone, of a size that is limited, in a time that is limited, and
 * nothing that does not begin as a picture does. Redirects are followed a few times, never from https to http.
 */
import { fail, MobileDetrError, messageOf } from "../errors.ts";
import { sniffFormat } from "../image/sniff.ts";
import { packageVersion } from "./version.ts";

const MOST_REDIRECTS = 5;
const HEAD_BYTES = 16; // enough to tell JPEG and PNG

/** Limits of {@link fetchPicture}, and who is told how far it is. */
export interface FetchLimits {
  readonly maxBytes: number;
  /** Of the whole transfer, in seconds. */
  readonly timeout: number;
  /** `total` is undefined where the server does not say it. */
  readonly progress?: (bytes: number, total: number | undefined) => void;
}

/** Whether a word is a URL that may be fetched. */
export function isUrl(word: string): boolean {
  return /^https?:\/\//i.test(word);
}

/** The bytes of a JPEG or PNG file. Errors of code "file", "format" and "memory" name the URL. */
export async function fetchPicture(
  url: string,
  { maxBytes, timeout, progress }: FetchLimits,
): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(timeout * 1000);
  try {
    const response = await follow(url, signal);
    const said = response.headers.get("content-length");
    // What is compressed on its way is longer than said.
    const total = said && !response.headers.get("content-encoding") ? Number(said) : undefined;
    const limit = `a picture of at most ${maxBytes} bytes`;
    if (total !== undefined && total > maxBytes) fail("memory", url, limit, `${total}`, "raise --max-bytes");
    const chunks: Uint8Array[] = [];
    let [length, known] = [0, false];
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      length += chunk.length;
      if (!known && length >= HEAD_BYTES) {
        checkPicture(url, Buffer.concat(chunks));
        known = true;
      }
      if (length > maxBytes) fail("memory", url, limit, "more", "raise --max-bytes");
      progress?.(length, total);
    }
    const bytes = new Uint8Array(Buffer.concat(chunks));
    if (!known) checkPicture(url, bytes);
    return bytes;
  } catch (error) {
    if (error instanceof MobileDetrError) throw error;
    if (signal.aborted) fail("file", url, `an answer within ${timeout} seconds`, "none", "raise --timeout");
    const cause = error instanceof Error && error.cause ? messageOf(error.cause) : "";
    return fail("file", url, "a URL that can be fetched", cause || messageOf(error));
  }
}

async function follow(url: string, signal: AbortSignal): Promise<Response> {
  let at = new URL(url);
  for (let i = 0; i <= MOST_REDIRECTS; i++) {
    if (at.username || at.password)
      fail("file", url, "a URL without a user's name and password", "one with them");
    const headers = { "user-agent": `mobiledetr/${packageVersion()}`, accept: "image/jpeg, image/png" };
    const response = await fetch(at, { redirect: "manual", signal, headers });
    const to = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
    if (to === null && response.ok) return response;
    void response.body?.cancel().catch(() => undefined);
    if (to === null)
      fail("file", url, "an answer of status 200", `${response.status} ${response.statusText}`.trim());
    const next = URL.canParse(to, at.href) ? new URL(to, at) : undefined;
    if (next?.protocol !== "https:" && (next?.protocol !== "http:" || at.protocol === "https:"))
      fail(
        "file",
        url,
        `a redirect to ${at.protocol === "https:" ? "https" : "http or https"}`,
        JSON.stringify(to),
      );
    at = next;
  }
  return fail("file", url, `at most ${MOST_REDIRECTS} redirects`, "more");
}

function checkPicture(url: string, bytes: Uint8Array): void {
  const { format, name } = sniffFormat(bytes);
  if (format === null) fail("format", url, "a JPEG or PNG picture", name);
}
